/** Everything that is measured from a drill's record, and whether the objectives held. */
import type { DrillRecord } from '../record';
import { scenarioOf } from '../scenarios';
import { faultMoment } from './fault-moment';
import { recoveryOf, summarise, type ClientSummary } from './outage';
import { stagesOf, type Stage } from './stages';
import {
  doubleWrites,
  lossAt,
  missingAfterFailback,
  recoveredBy,
  withoutEpoch,
  type DoubleWrite,
  type Loss,
  type Recovery,
} from './writes';

export interface ClientMeasure {
  readonly client: string;
  readonly kind: string;
  readonly what: string;
  /** Fault → first sustained success; 0 when nothing failed, null when it never was well again. */
  readonly recoverySeconds: number | null;
  readonly failover: ClientSummary;
  readonly failback: ClientSummary | null;
}

export interface Prediction {
  readonly stages: readonly { readonly stage: string; readonly seconds: number }[];
  readonly totalSeconds: number;
}

export interface Objective {
  readonly name: string;
  readonly target: string;
  readonly measured: string;
  readonly ok: boolean;
}

export interface Measures {
  /** When the fault took effect, by the drill's clock; everything else counts from there. */
  readonly faultAt: number | null;
  readonly rto: {
    /** The slowest of the cold clients. */
    readonly coldSeconds: number | null;
    /** The slowest of all clients but the pinned ones. */
    readonly allSeconds: number | null;
  };
  readonly stages: readonly Stage[];
  readonly prediction: Prediction | null;
  readonly clients: readonly ClientMeasure[];
  readonly loss: Loss | null;
  readonly doubleWrites: readonly DoubleWrite[];
  readonly acksWithoutEpoch: number;
  readonly missingAfterFailback: readonly number[] | null;
  /** Null when nothing was merged. */
  readonly recovery: Recovery | null;
  readonly objectives: readonly Objective[];
  readonly passed: boolean;
}

export function measure(record: DrillRecord): Measures {
  const { marks, attempts } = record;
  const fault = faultMoment(record);
  const ended = marks.ended ?? lastTime(record);
  const failoverEnd = marks.failbackStarted ?? ended;
  const clients = record.clients.map((client): ClientMeasure => {
    const own = attempts.filter((attempt) => attempt.client === client.name);
    return {
      client: client.name,
      kind: client.kind,
      what: client.what,
      recoverySeconds:
        fault === null ? null : recoveryOf(own, fault, failoverEnd, record.sustainSeconds * 1000).seconds,
      failover: summarise(client.name, own, fault ?? ended, failoverEnd),
      failback:
        marks.failbackStarted === null ? null : summarise(client.name, own, marks.failbackStarted, ended),
    };
  });
  const following = clients.filter((client) => client.kind !== 'pinned');
  const coldSeconds = slowest(following.filter((client) => client.kind === 'cold'));
  const allSeconds = slowest(following);
  const loss =
    record.afterFailover === null || fault === null ? null : lossAt(attempts, record.afterFailover, fault);
  const doubles = doubleWrites(attempts, record.history.length > 0 ? record.history : record.leases);
  const missing =
    record.afterFailover === null || record.afterFailback === null
      ? null
      : missingAfterFailback(attempts, record.afterFailover, record.afterFailback, loss?.lost ?? []);
  const partial = {
    faultAt: fault,
    rto: { coldSeconds, allSeconds },
    stages: stagesOf(record, fault === null || allSeconds === null ? null : fault + allSeconds * 1000),
    prediction: predictionFor(record),
    clients,
    loss,
    doubleWrites: doubles,
    acksWithoutEpoch: withoutEpoch(attempts),
    missingAfterFailback: missing,
    recovery: recoveryByMerge(record, loss),
  };
  const objectives = judge(record, partial);
  return { ...partial, objectives, passed: record.stopped === null && objectives.every((each) => each.ok) };
}

function recoveryByMerge(record: DrillRecord, loss: Loss | null): Recovery | null {
  const { afterFailback, afterMerge = null } = record;
  if (loss === null || afterFailback === null || afterMerge === null) return null;
  return recoveredBy(loss.lost, afterFailback, afterMerge);
}

function slowest(clients: readonly ClientMeasure[]): number | null {
  let worst = 0;
  for (const client of clients) {
    if (client.recoverySeconds === null) return null;
    worst = Math.max(worst, client.recoverySeconds);
  }
  return clients.length === 0 ? null : worst;
}

function predictionFor(record: DrillRecord): Prediction | null {
  switch (scenarioOf(record).cause) {
    case 'holder-lost':
      return record.budget.rto.regionLoss;
    case 'holder-sick':
      return record.budget.rto.sickHolder;
    case 'planned':
    case null:
      return null;
  }
}

function judge(record: DrillRecord, measures: Omit<Measures, 'objectives' | 'passed'>): Objective[] {
  const { rto, rpo } = record.budget;
  const all = measures.rto.allSeconds;
  const loss = measures.loss;
  const { expect, cause } = scenarioOf(record);
  // A switch that was handed over in order, and one that did not happen, lose nothing.
  const lossless = cause === 'planned' || expect === 'stay';
  const objectives: Objective[] = [
    {
      name: 'RTO, every client',
      target: `≤ ${rto.objectiveSeconds} s`,
      measured: all === null ? 'not recovered' : `${all.toFixed(1)} s`,
      ok: all !== null && all <= rto.objectiveSeconds,
    },
    {
      name: lossless ? 'nothing lost' : 'RPO',
      target: lossless ? '0 points' : `≤ ${rpo.objectiveSeconds} s`,
      measured: loss === null ? 'not measured' : `${loss.points} points, ${loss.seconds.toFixed(1)} s`,
      ok: loss !== null && (lossless ? loss.points === 0 : loss.seconds <= rpo.objectiveSeconds),
    },
    {
      name: 'double writes',
      target: '0',
      measured: `${measures.doubleWrites.length}`,
      ok: measures.doubleWrites.length === 0,
    },
    {
      name: 'acknowledgements that name no epoch',
      target: '0',
      measured: `${measures.acksWithoutEpoch}`,
      ok: measures.acksWithoutEpoch === 0,
    },
    ...onceMoreIsEnough(measures, cause),
    ...switches(record, expect),
    ...notMistaken(record),
    restored('after the failover', record.afterFailover, record.seedIds),
  ];
  if (record.failback && expect === 'switch') {
    const missing = measures.missingAfterFailback;
    objectives.push(
      {
        name: 'nothing missing after the failback',
        target: '0 points',
        measured: missing === null ? 'not measured' : `${missing.length} points`,
        ok: missing !== null && missing.length === 0,
      },
      restored('after the failback', record.afterFailback, record.seedIds),
      ...merged(record, measures),
    );
  }
  return objectives;
}

/** A switch in order fails no request of a client that keeps its connections and sends once more what failed. */
function onceMoreIsEnough({ clients }: Pick<Measures, 'clients'>, cause: string | null): Objective[] {
  const retrying = clients.filter(({ kind }) => kind === 'retrying');
  if (cause !== 'planned' || retrying.length === 0) return [];
  const all = retrying.map(({ failover, failback }) => ({
    failed: failover.errors + (failback?.errors ?? 0),
    of: failover.attempts + (failback?.attempts ?? 0),
  }));
  const failed = all.reduce((sum, each) => sum + each.failed, 0);
  const of = all.reduce((sum, each) => sum + each.of, 0);
  return [
    {
      name: 'requests of warm clients that retry once',
      target: '0 failed',
      measured: `${failed} of ${of} failed`,
      ok: failed === 0,
    },
  ];
}

/** Lost is only what nobody has: what the lost holder still has comes back. */
function merged(
  { merge }: DrillRecord,
  { loss, recovery }: Pick<Measures, 'loss' | 'recovery'>,
): Objective[] {
  const lost = loss?.points ?? 0;
  if (merge !== true || (lost === 0 && recovery === null)) return [];
  const others =
    recovery === null || recovery.missing.length === 0 ? '' : `, ${recovery.missing.length} others gone`;
  return [
    {
      name: 'lost writes recovered by the merge',
      target: `${lost}`,
      measured: recovery === null ? 'not merged' : `${recovery.recovered}${others}`,
      ok: recovery !== null && recovery.recovered === lost && recovery.missing.length === 0,
    },
  ];
}

/** Changes of holder between the fault and the failback. */
export function switchesOf(record: DrillRecord): number | null {
  const { startEpoch, history, marks } = record;
  if (startEpoch === undefined || startEpoch === null || history.length === 0) return null;
  const changes = history.filter((entry) => entry.epoch > startEpoch).length;
  return changes - (marks.failbackDone === null ? 0 : 1);
}

function switches(record: DrillRecord, expect: 'switch' | 'stay'): Objective[] {
  const count = switchesOf(record);
  if (count === null) return [];
  const wanted = expect === 'switch' ? 1 : 0;
  return [
    { name: 'changes of holder', target: String(wanted), measured: String(count), ok: count === wanted },
  ];
}

/** An engine that is merely slow must not be called stuck. */
function notMistaken(record: DrillRecord): Objective[] {
  if (scenarioOf(record).overloads !== true) return [];
  const { faultStarted } = record.marks;
  const failing = record.events.filter(
    (event) => event.kind === 'canary-failing' && Date.parse(event.at) >= (faultStarted ?? Infinity),
  );
  return [
    {
      name: 'a slow engine is not called stuck',
      target: '0 times',
      measured: `${failing.length} times`,
      ok: failing.length === 0,
    },
  ];
}

function restored(when: string, check: DrillRecord['afterFailover'], seedIds: readonly number[]): Objective {
  const name = `collection whole ${when}`;
  const target = `${seedIds.length} seed points, index, alias`;
  if (check === null) return { name, target, measured: 'not measured', ok: false };
  const present = new Set(check.ids);
  const seeds = seedIds.filter((id) => present.has(id)).length;
  return {
    name,
    target,
    measured: `${seeds} seed points, ${check.indexPresent ? 'index' : 'no index'}, ${check.aliasPresent ? 'alias' : 'no alias'}`,
    ok: seeds === seedIds.length && check.indexPresent && check.aliasPresent,
  };
}

function lastTime(record: DrillRecord): number {
  return record.attempts.reduce(
    (latest, attempt) => Math.max(latest, attempt.end),
    record.marks.clientsStarted ?? 0,
  );
}
