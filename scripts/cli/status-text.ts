/** `failover status` as text. */
import type { CanaryPart } from '../../infra/contract/agent-api';
import { operationsOf } from './merge';
import type { Overview, SiteView } from './overview';
import { isHolding } from './overview';
import { duration, table } from './table';

export function renderOverview(overview: Overview): string {
  const lease = overview.lease;
  return [
    `${overview.service} at ${overview.at}`,
    '',
    table([
      ['', ...overview.sites.map((view) => view.site)],
      ...ROWS.map(([label, cell]) => [
        label,
        ...overview.sites.map((view) => (view.status === null && label !== 'state' ? '–' : cell(view))),
      ]),
    ]),
    '',
    `lease    ${lease === null ? 'not known' : `epoch ${lease.epoch}, held by ${lease.holder} (says ${lease.source})`}${
      overview.leaseError === null ? '' : `; ${overview.leaseError}`
    }`,
    ...overview.dns.map(
      (view) =>
        `DNS      ${view.nameserver} ${
          view.error ??
          `answers ${view.addresses.join(', ')} = ${view.sites.join(', ') || 'no site of ours'}, TTL ${view.ttlSeconds} s`
        }`,
    ),
    ...overview.sites
      .filter((view) => view.status === null)
      .map((view) => `silent   ${view.silence ?? view.site}`),
    ...overview.sites.flatMap(outward),
    ...losses(overview),
    ...overview.sites.flatMap(measuredLoss),
    ...overview.sites.flatMap(setAside),
    ...overview.sites.flatMap(lastDrill),
    '',
    overview.findings.length === 0
      ? 'Steady: one site is active and the other can take over.'
      : [
          'Not steady:',
          ...overview.findings.map((finding) => `  - ${finding.message} (${finding.code})`),
        ].join('\n'),
  ].join('\n');
}

function switching({ status }: SiteView): string {
  if (status === null) return '–';
  const { mode, proposal, veto } = status.switching;
  if (veto !== undefined) return `${mode}, vetoed by ${veto.by} for ${duration(veto.leftSeconds)}`;
  if (proposal === undefined) return mode;
  return `${mode}: ${proposal.to} takes over in ${duration(proposal.decidesInSeconds)}`;
}

type Row = readonly [string, (view: SiteView) => string];

const ROWS: readonly Row[] = [
  ['state', (view) => view.status?.state ?? 'no answer'],
  ['ready', (view) => yesNo(view.status?.ready)],
  ['writable', (view) => writable(view)],
  [
    'promotable',
    (view) =>
      view.status !== null && isHolding(view.status) ? '–' : yesNo(view.status?.promotable.promotable),
  ],
  ['inference', (view) => canary(view, 'inference')],
  ['vectors', (view) => canary(view, 'vectors')],
  ['edge', (view) => canary(view, 'edge')],
  ['witness', (view) => view.status?.witness ?? '–'],
  ['peer', (view) => `${view.status?.peer.health ?? '–'} (${view.status?.peer.state ?? 'not known'})`],
  [
    'published',
    (view) =>
      view.status?.published
        ? `${duration(view.status.published.ageSeconds)} ago, ${view.status.published.points} points`
        : '–',
  ],
  ['data age', (view) => (view.status?.applied ? duration(view.status.applied.dataAgeSeconds) : '–')],
  ['digest', digest],
  ['restore test', restoreTest],
  ['busy', (view) => view.status?.busy ?? 'no'],
  ['switching', switching],
  ['agent', (view) => view.status?.versions.agent ?? '–'],
];

function yesNo(value: boolean | undefined): string {
  return value === undefined ? '–' : value ? 'yes' : 'no';
}

function writable(view: SiteView): string {
  const seconds = view.status?.writableForSeconds ?? null;
  return `${yesNo(view.status?.writable)}${seconds === null ? '' : ` (${seconds.toFixed(1)} s left)`}`;
}

function canary(view: SiteView, which: CanaryPart): string {
  const probe = view.status?.canary[which];
  if (probe === undefined) return '–';
  const detail = probe.health === 'healthy' || probe.detail === '' ? '' : `: ${probe.detail}`;
  return `${probe.health}${probe.ageSeconds === null ? '' : ` (${probe.ageSeconds.toFixed(1)} s old)`}${detail}`;
}

/** What a site's agent does outside: the record that it moves, and alerts that nobody could be told of. */
function outward({ site, status }: SiteView): string[] {
  const record = status?.dnsRecord;
  const untold = (status?.alerts?.targets ?? []).filter(({ trouble }) => trouble !== null);
  return [
    ...(record?.state === 'here' || record?.state === 'failing'
      ? [
          `record   ${site}: ${record.name} is ${record.state}${record.detail === '' ? '' : `, ${record.detail}`}`,
        ]
      : []),
    ...untold.map(
      ({ kind, waiting, trouble }) => `alerts   ${site}: ${waiting} wait for ${kind}, ${trouble ?? ''}`,
    ),
  ];
}

/** Of the standby's data, compared point by point. */
function digest({ status }: SiteView): string {
  const seen = status?.digest;
  if (seen === undefined || (status !== null && isHolding(status))) return '–';
  if (seen.comparing) return 'comparing';
  if (seen.verdict === null) return 'not compared';
  return `${seen.verdict.result}${seen.sameAgeSeconds === null ? '' : ` (${duration(seen.sameAgeSeconds)} ago)`}`;
}

/** The holder's word: both sites were told the same. */
function lastDrill({ status }: SiteView): string[] {
  if (status?.drill === undefined || !isHolding(status)) return [];
  const { last, ageSeconds } = status.drill;
  if (last === null) return ['drill    none yet: `failover drill planned-switch`'];
  const ago = ageSeconds === null ? '' : `, ${duration(ageSeconds)} ago`;
  return [`drill    ${last.scenario} ${last.passed ? 'passed' : 'did not pass'}${ago}`];
}

/** Of the site that stands by; on the other none is made. */
function restoreTest({ status }: SiteView): string {
  if (status?.restoreTest === undefined || isHolding(status)) return '–';
  const { verdict, ageSeconds } = status.restoreTest;
  if (verdict === null) return 'none yet';
  return `${verdict.result}${ageSeconds === null ? '' : ` (${duration(ageSeconds)} ago)`}`;
}

/** By the heartbeat in the other site's data, on the holder's clock. */
function measuredLoss({ site, status }: SiteView): string[] {
  const beat = status?.heartbeat;
  if (status === null || !isHolding(status) || beat === undefined) return [];
  const { loss } = beat;
  if (loss === null) return [`measured ${site} lost now: not known, no heartbeat has come through`];
  const least = loss.atLeast ? 'at least ' : '';
  return [
    `measured ${site} lost now: ${least}${duration(loss.seconds)}, ${loss.writes} writes that the other site lacks`,
  ];
}

function setAside({ site, status }: SiteView): string[] {
  const waiting = (status?.diverged ?? []).filter(
    ({ merged, counts }) => merged === null && (operationsOf(counts) ?? 0) > 0,
  );
  return waiting.map(
    ({ epoch, counts }) =>
      `aside    ${site} has ${operationsOf(counts)} writes (set aside in epoch ${epoch}) that nobody else has: \`failover merge\``,
  );
}

/** Who would lose what, were the other site promoted now. */
function losses(overview: Overview): string[] {
  return overview.sites
    .filter((view) => view.status !== null && !isHolding(view.status))
    .map((view) => {
      const age = view.status?.applied?.dataAgeSeconds ?? null;
      const loss =
        age === null
          ? 'it has applied no publish: everything would be lost'
          : `the writes of the last ${duration(age)} would be missing`;
      return `loss     promoting ${view.site} now: ${loss}; a planned switch loses nothing`;
    });
}
