/** A rule taken away from the product, by wrapping it or its world; the simulation must notice. */
import type * as fc from 'fast-check';
import type { step } from '../core';
import type { LeaseConfig, LeaseState } from '../model';
import type { PersistedState } from '../ports';
import type { Plan } from './plan';

export interface Mutation {
  readonly name: string;
  readonly config?: (config: LeaseConfig) => LeaseConfig;
  readonly step?: (original: typeof step) => typeof step;
  /** What a restarted process finds on its disk. */
  readonly load?: (disk: PersistedState) => PersistedState;
  /** What a restarted process believes. */
  readonly started?: (state: LeaseState, now: number) => LeaseState;
  readonly storeIgnoresEtags?: boolean;
  readonly acknowledgesUnchecked?: boolean;
  readonly writesDuringHandover?: boolean;
  /** Worlds in which the rule matters more often than in any. */
  readonly focus?: fc.Arbitrary<Partial<Plan>>;
}

export const NO_MUTATION: Mutation = { name: 'the product as it is' };
