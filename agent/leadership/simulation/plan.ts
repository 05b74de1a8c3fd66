/** What goes wrong in one world, and when; everything else follows from the seed. */
import * as fc from 'fast-check';

export const TTL_MS = 2000;
/** Bound on the relative rate of two clocks; far more than real ones, so that it matters in a short world. */
export const DRIFT = 0.05;

export interface Fault {
  readonly kind: 'crash' | 'pause' | 'slow' | 'cut-witness' | 'witness' | 'cut-servers';
  readonly server: number;
  readonly at: number;
  readonly ms: number;
}

export interface LeaderPlan {
  readonly seed: number;
  /** Of each server's clock, from -1 to 1. */
  readonly rates: readonly number[];
  readonly faults: readonly Fault[];
}

const fault: fc.Arbitrary<Fault> = fc
  .record({
    kind: fc.constantFrom<Fault['kind']>(
      ...(['crash', 'pause', 'slow', 'cut-witness', 'witness', 'cut-servers'] as const),
    ),
    server: fc.nat(2),
    at: fc.integer({ min: 3000, max: 11_000 }),
    ms: fc.integer({ min: 50, max: 5000 }),
  })
  .map((drawn) => ({ ...drawn, ms: Math.min(drawn.ms, 13_900 - drawn.at) }));

export const leaderPlan: fc.Arbitrary<LeaderPlan> = fc.record({
  seed: fc.integer(),
  rates: fc.array(fc.constantFrom(-1, 0, 1), { minLength: 2, maxLength: 3 }),
  faults: fc.array(fault, { maxLength: 8 }),
});
