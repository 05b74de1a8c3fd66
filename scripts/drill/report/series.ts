/** One line a drill: what came of it, where the time went, what it cost each kind of client. */
import { duration, table } from '../../cli/table';
import type { Measures } from '../measure/measures';
import type { Stage } from '../measure/stages';
import { passed, type SeriesEntry } from '../series';

const STAGES: readonly [Stage['stage'], string][] = [
  ['detected', 'detected'],
  ['decided', 'decided'],
  ['lease', 'lease'],
  ['ready', 'ready'],
  ['dns', 'DNS'],
  ['all-well', 'all well'],
];

export function renderSeries(entries: readonly SeriesEntry[]): string {
  const good = entries.filter(passed).length;
  return [
    table([
      [
        'scenario',
        'must',
        'outage: warm',
        'retrying',
        'cold',
        'writer',
        'runtimes',
        ...STAGES.map(([, label]) => label),
        'lost',
        'merged back',
        'double',
        '',
      ],
      ...entries.map(line),
    ]),
    '',
    ...entries.flatMap(({ scenario, problem }) => (problem === null ? [] : [`${scenario.name}: ${problem}`])),
    `${good} of ${entries.length} drills passed.`,
  ].join('\n');
}

function line(entry: SeriesEntry): string[] {
  const { scenario, drilled } = entry;
  const begin = [scenario.name, scenario.expect];
  const end = passed(entry) ? 'passed' : 'NOT PASSED';
  if (drilled === null) return [...begin, ...Array<string>(7 + STAGES.length).fill('–'), end];
  const { measures } = drilled;
  return [
    ...begin,
    ...['warm', 'retrying', 'cold', 'writer', 'runtime'].map((kind) => outage(measures, kind)),
    ...STAGES.map(([stage]) => secondsOf(measures, stage)),
    measures.loss === null ? '–' : String(measures.loss.points),
    measures.recovery === null ? '–' : String(measures.recovery.recovered),
    String(measures.doubleWrites.length),
    end,
  ];
}

/** The longest that one client of the kind was without an answer. */
function outage({ clients }: Measures, kind: string): string {
  const own = clients.filter((client) => client.kind === kind);
  if (own.length === 0) return '–';
  const worst = Math.max(0, ...own.map((client) => client.failover.longest?.seconds ?? 0));
  return worst === 0 ? 'none' : duration(worst);
}

function secondsOf({ stages }: Measures, wanted: Stage['stage']): string {
  const found = stages.find(({ stage }) => stage === wanted);
  return found?.secondsSinceFault == null ? '–' : duration(found.secondsSinceFault);
}
