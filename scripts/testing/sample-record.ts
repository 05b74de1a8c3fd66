/** A region-loss drill as it would be written down: fault at 10 s, recovered at 20 s, failed back at 40 s. */
import type { AgentEvent } from '../../infra/contract/agent-api';
import type { Attempt, ClientInfo, DrillRecord } from '../drill/record';

export const T0 = Date.parse('2026-03-01T03:00:00Z');
export const at = (seconds: number): number => T0 + seconds * 1000;

const CLIENTS: readonly ClientInfo[] = [
  { name: 'cold-inference', kind: 'cold', what: 'inference', periodMs: 500, timeoutMs: 2000 },
  { name: 'warm-vectors', kind: 'warm', what: 'vectors', periodMs: 500, timeoutMs: 2000 },
  { name: 'writer', kind: 'writer', what: 'writes', periodMs: 1000, timeoutMs: 2000 },
  { name: 'pinned-uk', kind: 'pinned', what: 'writes', periodMs: 1000, timeoutMs: 2000 },
];

function event(
  seconds: number,
  site: string,
  kind: AgentEvent['kind'],
  epoch: number | null = null,
): AgentEvent {
  return { at: new Date(at(seconds)).toISOString(), site, kind, detail: '', epoch };
}

export function sampleRecord(changes: Partial<DrillRecord> = {}): DrillRecord {
  const attempts: Attempt[] = [];
  for (const client of CLIENTS) {
    for (let s = 0, seq = 0; s < 50; s += client.periodMs / 1000, seq += 1) {
      const down = s >= 10 && s < 19 + (client.kind === 'cold' ? 1 : 0);
      const atEu = s >= 19 && s < 40;
      const refused = client.kind === 'pinned' && atEu;
      const ok = !down && !refused;
      attempts.push({
        client: client.name,
        seq,
        ...(client.what === 'writes'
          ? { pointId: (client.kind === 'writer' ? 1_000_000 : 2_000_000) + seq }
          : {}),
        start: at(s),
        end: at(s + 0.02),
        ok,
        status: down ? null : refused ? 503 : 200,
        site: down ? null : client.kind === 'pinned' ? 'uk' : atEu ? 'eu' : 'uk',
        epoch: client.what === 'writes' && ok ? (s < 10 ? 1 : atEu ? 2 : 3) : null,
        address: null,
        error: ok ? null : down ? 'ECONNREFUSED' : '503',
      });
    }
  }
  const ids = attempts
    .filter((each) => each.ok && each.pointId !== undefined)
    .map((each) => each.pointId ?? 0);
  const survived = attempts
    .filter((each) => each.ok && each.pointId !== undefined && (each.end < at(8) || each.start > at(10)))
    .map((each) => each.pointId ?? 0);
  const stages = [
    { stage: 'lease runs out', seconds: 6 },
    { stage: 'DNS', seconds: 3 },
  ];
  return {
    version: 1,
    id: '20260301T030000Z-region-loss',
    scenario: 'region-loss',
    service: 'api.example.com',
    from: 'uk',
    to: 'eu',
    sites: ['uk', 'eu'],
    dnsTtlSeconds: 2,
    switchingMode: 'automatic',
    budget: {
      rto: {
        predictedSeconds: 9,
        objectiveSeconds: 300,
        regionLoss: { stages, totalSeconds: 9 },
        sickHolder: { stages, totalSeconds: 9 },
      },
      rpo: { predictedSeconds: 22, objectiveSeconds: 3600, stages: [] },
    },
    collection: 'drill-x',
    seedIds: [1, 2, 3],
    sustainSeconds: 5,
    failback: true,
    clients: CLIENTS,
    marks: {
      clientsStarted: at(0),
      faultStarted: at(10),
      faultDone: at(10.3),
      recovered: at(25),
      repaired: at(26),
      failbackStarted: at(26),
      failbackDone: at(40),
      ended: at(50),
    },
    attempts,
    dns: [
      { at: at(0), nameserver: 'ns', sites: ['uk'], addresses: ['10.0.0.1'], error: null },
      { at: at(18), nameserver: 'ns', sites: ['eu'], addresses: ['10.0.0.2'], error: null },
      { at: at(40.5), nameserver: 'ns', sites: ['uk'], addresses: ['10.0.0.1'], error: null },
    ],
    leases: [
      { at: at(0), epoch: 1, holder: 'uk', source: 'uk' },
      { at: at(17.5), epoch: 2, holder: 'eu', source: 'eu' },
      { at: at(40.2), epoch: 3, holder: 'uk', source: 'uk' },
    ],
    events: [
      event(2, 'eu', 'applied'),
      event(16, 'eu', 'lease-expired-seen'),
      event(16.2, 'eu', 'claim-decided'),
      event(16.5, 'eu', 'claimed', 2),
      event(16.6, 'eu', 'ready', 2),
      event(40, 'uk', 'claimed', 3),
    ],
    history: [
      {
        epoch: 1,
        holder: 'uk',
        previousHolder: null,
        at: '',
        cause: 'bootstrap',
        by: '',
        reason: '',
        dataAgeSeconds: null,
        acceptedDataLoss: null,
      },
      {
        epoch: 2,
        holder: 'eu',
        previousHolder: 'uk',
        at: '',
        cause: 'expired',
        by: '',
        reason: '',
        dataAgeSeconds: 2,
        acceptedDataLoss: null,
      },
      {
        epoch: 3,
        holder: 'uk',
        previousHolder: 'eu',
        at: '',
        cause: 'handover-planned',
        by: '',
        reason: '',
        dataAgeSeconds: 0,
        acceptedDataLoss: null,
      },
    ],
    clockAhead: { uk: 0.3, eu: -0.2 },
    afterFailover: {
      at: at(25.5),
      site: 'eu',
      ids: [1, 2, 3, ...survived],
      indexPresent: true,
      aliasPresent: true,
    },
    afterFailback: {
      at: at(49.5),
      site: 'uk',
      ids: [1, 2, 3, ...survived, ...ids.filter((id) => id % 1_000_000 > 9)],
      indexPresent: true,
      aliasPresent: true,
    },
    steps: [
      { at: at(0), text: 'clients started' },
      { at: at(10), text: 'fault: kill uk' },
    ],
    stopped: null,
    leftovers: [],
    ...changes,
  };
}
