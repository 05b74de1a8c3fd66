/** Worlds to try: clocks, timings and what goes wrong when, as fast-check draws them. */
import * as fc from 'fast-check';
import type { SwitchingMode } from '../../../infra/contract/site-spec';
import type { Action } from '../model';
import type { Link } from './network';

export type SiteName = 'a' | 'b';
type At = { readonly at: number; readonly ms: number };

export type Fault = At &
  (
    | { readonly kind: 'cut' | 'slow'; readonly links: readonly Link[] }
    | { readonly kind: 'pause' | 'crash' | 'unpromotable'; readonly site: SiteName }
    /** The hand-over waits `graceMs` for a restart of the engine. */
    | { readonly kind: 'canary'; readonly site: SiteName; readonly graceMs: number }
    /** The nth action of its type, counted from `at`, finds the process stopped or dead. */
    | {
        readonly kind: 'pause-on' | 'crash-on';
        readonly site: SiteName;
        readonly action: Action['type'];
        readonly nth: number;
        readonly before: boolean;
      }
    | { readonly kind: 'promote'; readonly site: SiteName; readonly accept: boolean }
    | { readonly kind: 'switch' | 'reprotect'; readonly site: SiteName }
    | { readonly kind: 'store-errors' }
    /** Reads are so much older than they should be. */
    | { readonly kind: 'store-stale'; readonly byMs: number }
    /** Writes are acknowledged and forgotten, this share of them. */
    | { readonly kind: 'store-loses'; readonly probability: number }
    /** A no that lasts for `ms`, said to one site. */
    | { readonly kind: 'veto'; readonly site: SiteName }
  );

export interface Plan {
  /** Of delays, losses and repetitions. */
  readonly seed: number;
  readonly marginMs: number;
  readonly drift: number;
  readonly mode: SwitchingMode;
  /** In mode veto. */
  readonly graceMs: number;
  readonly cooldownMs: number;
  /** Rates of the two clocks, from -1 (slowest allowed) to 1. */
  readonly clocks: readonly [number, number];
  readonly faults: readonly Fault[];
  /** A site that stays dead when everything else is healed. */
  readonly lost: SiteName | null;
}

export const TTL_MS = 6000;
export const REQUEST_TIMEOUT_MS = 1000;
/** Sites start cold; the first lease is there by now. */
export const FAULTS_FROM_MS = 8000;
export const HEAL_AT_MS = 42_000;

export const both = (x: string, y: string): Link[] => [`${x}>${y}`, `${y}>${x}`] as Link[];
const LINK_PATTERNS: readonly (readonly Link[])[] = [
  [...both('a', 'w'), ...both('a', 'b')],
  [...both('b', 'w'), ...both('a', 'b')],
  both('a', 'w'),
  both('b', 'w'),
  both('a', 'b'),
  [...both('a', 'w'), ...both('b', 'w')],
  ['a>w'],
  ['w>a'],
  ['b>w'],
  ['w>b'],
  ['a>b'],
  ['b>a'],
];

const site = fc.constantFrom<SiteName>('a', 'b');
const at = fc.integer({ min: FAULTS_FROM_MS, max: 36_000 });
const ms = fc.oneof(
  { weight: 2, arbitrary: fc.integer({ min: 100, max: 3000 }) },
  { weight: 3, arbitrary: fc.integer({ min: 3000, max: 18_000 }) },
);
const links = fc.constantFrom(...LINK_PATTERNS);
const graceMs = fc.constantFrom(0, 0, 1000, 5000);
const action = fc.constantFrom<Action['type']>(
  'persist',
  'write',
  'write',
  'read',
  'sync',
  'ask-promise',
  'promise-answer',
  'append-history',
  'wake-peer',
);

const fault: fc.Arbitrary<Fault> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom('cut' as const), at, ms, links }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('slow' as const), at, ms, links }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('pause' as const), at, ms, site }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('crash' as const), at, ms, site }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('pause-on' as const, 'crash-on' as const),
      at,
      ms,
      site,
      action,
      nth: fc.integer({ min: 1, max: 4 }),
      before: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('canary' as const), at, ms, site, graceMs }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('unpromotable' as const), at, ms, site }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom('promote' as const), at, ms, site, accept: fc.boolean() }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom('switch' as const, 'reprotect' as const), at, ms, site }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('veto' as const), at, ms, site }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('store-errors' as const), at, ms }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom('store-stale' as const),
      at,
      ms,
      byMs: fc.integer({ min: 500, max: 9000 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom('store-loses' as const),
      at,
      ms,
      probability: fc.constantFrom(0.3, 0.7, 1),
    }),
  },
);

export const plan: fc.Arbitrary<Plan> = fc.record({
  seed: fc.integer({ min: 1, max: 2 ** 30 }),
  marginMs: fc.constantFrom(200, 1000),
  drift: fc.constantFrom(0.0005, 0.02, 0.2),
  mode: fc.constantFrom<SwitchingMode>('automatic', 'automatic', 'automatic', 'veto', 'veto', 'manual'),
  graceMs: fc.constantFrom(500, 4000),
  cooldownMs: fc.constantFrom(0, 3000, 10_000),
  clocks: fc.tuple(fc.constantFrom(-1, 0, 1), fc.constantFrom(-1, 0, 1)),
  faults: fc.array(fault, { minLength: 1, maxLength: 8, size: 'max' }),
  lost: fc.constantFrom(null, null, 'a' as const, 'b' as const),
});
