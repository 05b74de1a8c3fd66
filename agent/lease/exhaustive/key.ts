/**
 * What makes two small worlds alike: everything but absolute time, the numbers that only tell events apart, and which of
 * the two sites is called what.
 */
import type { LeaseState } from '../model';
import { NAMES, type Name, type World } from './world';

/** Fields of the state that are moments of its clock. */
const MOMENTS = new Set([
  ...[
    'nextStoreAt',
    'vetoUntil',
    'grantedUntil',
    'nextPromiseAt',
    'peerSeenAt',
    'nextPeerAt',
    'epochChangedAt',
  ],
  ...['highestEpochAt', 'lastContactAt', 'nextHandoverAt', 'persistRetryAt', 'nextHistoryReadAt', 'at'],
  ...[
    'nextHistoryWriteAt',
    'sentAt',
    'changedAt',
    'leaseDeadline',
    'promiseDeadline',
    'phaseEnds',
    'startedAt',
  ],
  ...['phaseBegan', 'heldSince', 'firstSentAt', 'giveUpAt', 'decidesAt', 'since'],
]);
/** Older than this, one moment is as good as another. */
const LONG_AGO_MS = 100_000;
/** Numbers that are given out one by one. */
const SERIALS = new Set(['op', 'id', 'askId', 'seq']);
const COUNTERS = new Set([
  'serial',
  'requestedSeq',
  'durableSeq',
  'needsSeq',
  'processes',
  'process',
  'incarnation',
]);
/** For people, or the same in every world. */
const WITHOUT_EFFECT = new Set([
  'config',
  'alerts',
  'shown',
  'reason',
  'by',
  'wall',
  'historyWrite',
  'switches',
]);

export function keyOf(world: World): string {
  const [a, b] = NAMES;
  const straight = written(world, [a, b]);
  const mirrored = written(world, [b, a]).replace(/site[ab]/g, (name) => (name === a ? b : a));
  return straight < mirrored ? straight : mirrored;
}

function written(world: World, order: readonly [Name, Name]): string {
  const sites = order.map((name) => {
    const { state, ...site } = world.sites[name];
    return [site, state === null ? null : { ...state, saved: savedOf(state) }];
  });
  const { store, queue, held, cut, acknowledged } = world;
  const cuts = order.map((name) => cut.includes(`${name}-store`));
  const ranks = new Map<unknown, number>();
  const text = JSON.stringify(
    [sites, store, queue, held, cuts, cut.includes('sitea-siteb'), acknowledged],
    (field, value: unknown) => {
      if (WITHOUT_EFFECT.has(field) || COUNTERS.has(field)) return undefined;
      if (typeof value !== 'number') return value;
      if (MOMENTS.has(field)) return Math.max(-LONG_AGO_MS, value - world.now);
      if (!SERIALS.has(field)) return value;
      const rank = ranks.get(value) ?? ranks.size;
      ranks.set(value, rank);
      return rank;
    },
  );
  return withRanks(text);
}

/** Only whether the memory that a hold or a claim waits for is on disk has an effect. */
function savedOf({ durableSeq, hold, claim, requestedSeq }: LeaseState): boolean[] {
  return [
    durableSeq >= requestedSeq,
    durableSeq >= (hold?.needsSeq ?? 0),
    durableSeq >= (claim?.needsSeq ?? 0),
  ];
}

const NONCE = /(site[ab])\/p(\d+)\/(\d+)/g;

/** Nonces by their order: which of two is older has an effect, how many numbers lie between them has none. */
function withRanks(text: string): string {
  const found = [...new Set(text.match(NONCE) ?? [])].sort((x, y) => {
    const [, px = '', nx = ''] = /p(\d+)\/(\d+)/.exec(x) ?? [];
    const [, py = '', ny = ''] = /p(\d+)\/(\d+)/.exec(y) ?? [];
    return Number(px) - Number(py) || Number(nx) - Number(ny);
  });
  const ranks = new Map<string, string>();
  const counts = new Map<string, number>();
  const processes = new Map<string, number>();
  for (const nonce of found) {
    const [site = '', process = ''] = nonce.split('/');
    const own = `${site}/${process}`;
    if (!processes.has(own))
      processes.set(own, [...processes.keys()].filter((k) => k.startsWith(site)).length);
    const rank = counts.get(own) ?? 0;
    counts.set(own, rank + 1);
    ranks.set(nonce, `${site}/${processes.get(own) ?? 0}/${rank}`);
  }
  return text.replace(NONCE, (nonce) => ranks.get(nonce) ?? nonce);
}
