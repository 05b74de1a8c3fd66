import { PHASES, type Measured, type Phase, type Verdict } from './judge';
import { METHOD_TITLES, METHODS } from './methods/method';

const PHASE_TITLES: Readonly<Record<Phase, string>> = {
  first: 'first copy',
  changed: '1 % changed',
  idle: 'idle',
};
const HEADER = [
  '',
  '',
  'seconds',
  'from primary',
  'to standby',
  'peak memory',
  'unreadable',
  'of full: time',
  'bytes',
];

/** Markdown, so that it can go into the documentation as it is. */
export function renderReport(measured: readonly Measured[], verdicts: readonly Verdict[]): string {
  const links = [...new Set(measured.map(({ link }) => link))];
  return [
    ...links.map((link) => `**${link}**\n\n${markdownTable([HEADER, ...rowsOf(measured, link)])}`),
    markdownTable([
      ['goal', 'measured', ''],
      ...verdicts.map(({ goal, got, met }) => [goal, got, met ? 'met' : '**missed**']),
    ]),
  ].join('\n\n');
}

function rowsOf(measured: readonly Measured[], link: string): string[][] {
  return PHASES.flatMap((phase) =>
    METHODS.flatMap((method) => {
      const of = (name: string): Measured | undefined =>
        measured.find((each) => each.link === link && each.phase === phase && each.method === name);
      const own = of(method);
      return own === undefined ? [] : [row(own, of('full'))];
    }),
  );
}

function row(own: Measured, full: Measured | undefined): string[] {
  const bytes = (each: Measured): number => each.primaryBytes + each.standbyBytes;
  const share = (a: number, b: number | undefined): string =>
    b === undefined ? '' : `${(a / b).toPrecision(2)} ×`;
  return [
    PHASE_TITLES[own.phase],
    METHOD_TITLES[own.method],
    own.seconds.toFixed(1),
    megabytes(own.primaryBytes),
    megabytes(own.standbyBytes),
    `${Math.round(own.peakBytes / 1024 / 1024)} MiB`,
    own.phase === 'first' ? '' : `${own.unreadableSeconds.toFixed(2)} s`,
    share(own.seconds, full?.seconds),
    share(bytes(own), full === undefined ? undefined : bytes(full)),
  ];
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(bytes < 1e6 ? 2 : 1)} MB`;

function markdownTable(rows: readonly (readonly string[])[]): string {
  const [header = [], ...body] = rows;
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(header), line(header.map(() => '---')), ...body.map(line)].join('\n');
}
