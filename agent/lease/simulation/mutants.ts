/** The rules of the lease, each taken away in turn. None of this can be switched on in the product. */
import * as fc from 'fast-check';
import type { step } from '../core';
import type { LeaseEvent, LeaseState } from '../model';
import { EMPTY_STATE } from '../ports';
import { holderDeadline } from '../timing';
import type { Mutation } from './mutation';
import { both, type Fault, type Plan } from './plan';

type Step = typeof step;

/** Changes the state that a step sees. */
const seeing =
  (change: (state: LeaseState, event: LeaseEvent) => LeaseState) =>
  (original: Step): Step =>
  (state, event) =>
    original(change(state, event), event);

/** Changes what happens. */
const hearing =
  (change: (event: LeaseEvent, state: LeaseState) => LeaseEvent) =>
  (original: Step): Step =>
  (state, event) =>
    original(state, change(event, state));

/** Changes what a step leaves behind. */
const leaving =
  (change: (after: LeaseState, event: LeaseEvent, before: LeaseState) => LeaseState) =>
  (original: Step): Step =>
  (state, event) => {
    const result = original(state, event);
    return { ...result, state: change(result.state, event, state) };
  };

const patched = (state: LeaseState, change: Partial<LeaseState['persisted']>): LeaseState => ({
  ...state,
  persisted: { ...state.persisted, ...change },
});

/** The holder, a, loses sight of everything for good. */
const isolatedHolder: fc.Arbitrary<readonly Fault[]> = fc
  .record({ at: fc.integer({ min: 10_000, max: 20_000 }), ms: fc.constant(20_000) })
  .map((when) => [{ ...when, kind: 'cut', links: [...both('a', 'w'), ...both('a', 'b')] }]);

/** The holder is alone until the peer claims; the claim is late; the peer comes back into sight, the witness does not. */
const lateClaim: fc.Arbitrary<readonly Fault[]> = fc
  .tuple(
    fc.integer({ min: 10_000, max: 16_000 }),
    fc.integer({ min: 6000, max: 9000 }),
    fc.integer({ min: 3000, max: 7000 }),
  )
  .map(([at, apart, late]) => [
    { kind: 'cut', at, ms: 25_000, links: both('a', 'w') },
    { kind: 'cut', at, ms: apart, links: both('a', 'b') },
    { kind: 'slow', at: at + late, ms: 4000, links: ['b>w'] },
  ]);

/** The witness is out of the holder's sight; promises come back slowly, and then no more. */
const lastPromise: fc.Arbitrary<readonly Fault[]> = fc
  .tuple(fc.integer({ min: 10_000, max: 16_000 }), fc.integer({ min: 3000, max: 9000 }))
  .map(([at, last]) => [
    { kind: 'cut', at, ms: 25_000, links: both('a', 'w') },
    { kind: 'slow', at, ms: 12_000, links: ['b>a'] },
    { kind: 'cut', at: at + last, ms: 20_000, links: both('a', 'b') },
  ]);

/** A hand-over is late, and its sender dead before it happens; restarted, it sees the old lease and little else. */
const lateSwap: fc.Arbitrary<readonly Fault[]> = fc
  .tuple(
    fc.integer({ min: 10_000, max: 14_000 }),
    fc.integer({ min: 300, max: 3000 }),
    fc.integer({ min: 1, max: 2 }),
    fc.integer({ min: 50, max: 800 }),
  )
  .map(([at, later, nth, ms]) => [
    { kind: 'switch', site: 'a', at, ms: 0 },
    { kind: 'slow', at: at + later, ms: 9000, links: ['a>w'] },
    { kind: 'crash-on', site: 'a', action: 'write', nth, before: false, at: at + later, ms },
  ]);

/** The holder is lost, and somebody has told the other site to stay as it is. */
const vetoed: fc.Arbitrary<Pick<Plan, 'faults' | 'mode' | 'cooldownMs'>> = fc
  .record({ at: fc.integer({ min: 11_000, max: 13_000 }), ms: fc.constant(25_000) })
  .map((when) => ({
    mode: 'automatic' as const,
    cooldownMs: 0,
    faults: [
      { kind: 'veto' as const, site: 'b' as const, at: 10_000, ms: 18_000 },
      { ...when, kind: 'crash' as const, site: 'a' as const },
    ],
  }));

/** The store forgets what it acknowledges, and the holder loses sight of both others before it can tell. */
const forgetfulStore: fc.Arbitrary<readonly Fault[]> = fc
  .tuple(fc.integer({ min: 10_000, max: 14_000 }), fc.integer({ min: 3000, max: 9000 }))
  .map(([at, later]) => [
    { kind: 'store-loses', at, ms: later, probability: 1 },
    { kind: 'cut', at: at + later, ms: 15_000, links: [...both('a', 'w'), ...both('a', 'b')] },
  ]);

const quickSwitch: fc.Arbitrary<readonly Fault[]> = fc
  .integer({ min: 10_000, max: 20_000 })
  .map((at) => [{ kind: 'switch', site: 'a', at, ms: 0 }]);

/** The answer to a hand-over is late. */
const lateSwapAnswer: fc.Arbitrary<readonly Fault[]> = fc
  .tuple(fc.integer({ min: 10_000, max: 14_000 }), fc.integer({ min: 500, max: 2500 }))
  .map(([at, later]) => [
    { kind: 'switch', site: 'a', at, ms: 0 },
    { kind: 'slow', at: at + later, ms: 3000, links: ['w>a'] },
  ]);

/** The engine of the holder, a, is restarted and does not come back. */
const sickHolder: fc.Arbitrary<readonly Fault[]> = fc
  .integer({ min: 10_000, max: 20_000 })
  .map((at) => [{ kind: 'canary', site: 'a', at, ms: 18_000, graceMs: 5000 }]);

export const MUTANTS: readonly Mutation[] = [
  {
    name: 'clocks are taken to run alike',
    config: (config) => ({ ...config, drift: 0 }),
    focus: isolatedHolder.map((faults) => ({
      faults,
      marginMs: 200,
      drift: 0.2,
      clocks: [-1, 1] as const,
      mode: 'automatic' as const,
      cooldownMs: 0,
    })),
  },
  {
    name: 'the holder goes on to the last moment',
    config: (config) => ({ ...config, marginMs: 0 }),
    focus: isolatedHolder.map((faults) => ({
      faults,
      marginMs: 1000,
      drift: 0.0005,
      mode: 'automatic' as const,
      cooldownMs: 0,
    })),
  },
  {
    name: 'a hand-over does not wait for acknowledgements that are on their way',
    step: seeing((state) =>
      state.handover === null ? state : { ...state, handover: { ...state.handover, heldSince: -Infinity } },
    ),
    focus: quickSwitch.map((faults) => ({ faults, marginMs: 1000 })),
  },
  { name: 'the store ignores ETags', storeIgnoresEtags: true },
  {
    name: 'a promise is given although a claim is open',
    step: (original) => (state, event) => {
      const { pendingClaim } = state.persisted;
      if (event.type !== 'promise-asked' || pendingClaim === null) return original(state, event);
      const result = original(patched(state, { pendingClaim: null }), event);
      return { ...result, state: patched(result.state, { pendingClaim }) };
    },
    focus: lateClaim.map((faults) => ({ faults, mode: 'automatic' as const, cooldownMs: 0 })),
  },
  {
    name: 'a claim is made although a promise was given',
    step: seeing((state) => ({ ...state, grantedUntil: -Infinity })),
  },
  {
    name: 'a fresh process takes the lease that it finds for run out',
    step: leaving((after, event, before) =>
      event.type === 'read-done' && before.observed === null && after.observed !== null && after.hold === null
        ? { ...after, observed: { ...after.observed, changedAt: -1e9 } }
        : after,
    ),
  },
  {
    name: 'a promise is given to the holder of an older epoch, or by a holder',
    step: (original) => (state, event) => {
      if (event.type !== 'promise-asked') return original(state, event);
      const blind = patched({ ...state, hold: null, observed: null }, { highestEpoch: 0 });
      const result = original(blind, event);
      return { state, actions: result.actions.filter((action) => action.type !== 'persist') };
    },
  },
  {
    name: 'the epoch that a reading shows is not looked at',
    step: hearing((event, state) => {
      if (event.type !== 'read-done' || event.result.kind !== 'lease' || state.hold === null) return event;
      const lease = { ...event.result.lease, epoch: state.hold.epoch, holder: state.config.site };
      return { ...event, result: { ...event.result, lease } };
    }),
  },
  {
    name: 'a restarted holder believes that it still holds',
    started: (state, now) =>
      state.persisted.lastHeldEpoch === null
        ? state
        : {
            ...state,
            hold: {
              epoch: state.persisted.lastHeldEpoch,
              etag: null,
              confirmed: true,
              leaseDeadline: now + state.config.ttlMs / 2,
              promiseDeadline: -Infinity,
              needsSeq: 0,
              provenEtag: null,
              unproven: null,
              ownWrites: [],
              troubled: false,
              lapseTold: false,
            },
          },
  },
  {
    name: 'the holder counts from the answer, not from the request',
    step: seeing((state, event) =>
      event.type === 'write-done' && state.operation?.id === event.op
        ? { ...state, operation: { ...state.operation, sentAt: event.now } }
        : state,
    ),
  },
  {
    name: 'the promise counts from the answer, not from the request',
    step: seeing((state, event) =>
      event.type === 'promise-answered' && state.promiseAsk !== null
        ? { ...state, promiseAsk: { ...state.promiseAsk, sentAt: event.now } }
        : state,
    ),
    focus: lastPromise.map((faults) => ({
      faults,
      marginMs: 200,
      drift: 0.0005,
      mode: 'automatic' as const,
      cooldownMs: 0,
    })),
  },
  {
    name: 'a renewal of unknown outcome counts as done',
    step: hearing((event, state) =>
      event.type === 'write-done' && event.result.kind === 'unknown' && state.operation?.purpose === 'renew'
        ? { ...event, result: { kind: 'written', etag: state.hold?.etag ?? '' } }
        : event,
    ),
  },
  {
    name: 'what the store acknowledges is believed at once',
    step: leaving((after, event) => {
      const { hold, config } = after;
      if (event.type !== 'write-done' || hold?.unproven == null) return after;
      const { etag, sentAt } = hold.unproven;
      const leaseDeadline = holderDeadline(config, sentAt);
      return {
        ...after,
        hold: { ...hold, confirmed: true, leaseDeadline, provenEtag: etag, unproven: null },
      };
    }),
    focus: forgetfulStore.map((faults) => ({ faults, mode: 'automatic' as const, cooldownMs: 0 })),
  },
  {
    name: 'a hand-over of unknown outcome counts as not done',
    step: leaving((after, event) =>
      event.type === 'write-done' && after.handover?.phase === 'swap-unknown'
        ? { ...after, handover: null }
        : after,
    ),
    focus: lateSwapAnswer.map((faults) => ({ faults, cooldownMs: 0 })),
  },
  {
    name: 'writes go on during the last sync of a hand-over',
    writesDuringHandover: true,
  },
  { name: 'writes are acknowledged without a second look', acknowledgesUnchecked: true },
  { name: 'a process forgets everything when it restarts', load: () => EMPTY_STATE },
  {
    name: 'the past of a site is not looked at',
    step: seeing((state) =>
      state.hold === null &&
      state.observed?.kind === 'lease' &&
      state.observed.lease.holder !== state.config.site
        ? patched(state, { cleanHandoverEpoch: state.persisted.lastHeldEpoch })
        : state,
    ),
  },
  {
    name: 'whether a site is promotable is not looked at',
    step: hearing((event) => ({
      ...event,
      local: { ...event.local, promotable: { ...event.local.promotable, promotable: true } },
    })),
  },
  {
    name: 'whether the peer is promotable is not looked at',
    step: hearing((event) =>
      event.type === 'peer-status' && event.status !== null
        ? { ...event, status: { ...event.status, promotable: true, state: 'standby' } }
        : event,
    ),
  },
  {
    name: 'a switch is not told before it happens',
    config: (config) => (config.mode === 'veto' ? { ...config, mode: 'automatic' } : config),
  },
  {
    name: 'a veto is not looked at',
    step: seeing((state) => ({ ...state, vetoUntil: -Infinity })),
    focus: vetoed,
  },
  {
    name: 'a veto is forgotten at a restart',
    load: (disk) => ({ ...disk, veto: null }),
    focus: vetoed.map((world) => ({
      ...world,
      faults: [...world.faults, { kind: 'crash' as const, site: 'b' as const, at: 10_600, ms: 300 }],
    })),
  },
  {
    name: 'a restarted engine is not waited for',
    step: hearing((event) => ({ ...event, local: { ...event.local, recovering: false } })),
    focus: sickHolder.map((faults) => ({ faults, mode: 'automatic' as const, cooldownMs: 0 })),
  },
  {
    name: 'there is no cooldown',
    config: (config) => ({ ...config, cooldownMs: 0 }),
  },
  {
    name: 'the epoch stays when the holder changes',
    step: (original) => (state, event) => {
      const result = original(state, event);
      const actions = result.actions.map((action) =>
        action.type === 'write' && action.lease.epoch > 1 && action.lease.epoch > (state.hold?.epoch ?? 0)
          ? { ...action, lease: { ...action.lease, epoch: action.lease.epoch - 1 } }
          : action,
      );
      return { state: result.state, actions };
    },
  },
  {
    name: 'a promise counts before any write of this process has been confirmed',
    step: seeing((state, event) =>
      state.hold !== null && !state.hold.confirmed
        ? {
            ...state,
            hold: { ...state.hold, confirmed: true, troubled: event.type !== 'write-done' },
          }
        : state,
    ),
    focus: lateSwap.map((faults) => ({ faults, drift: 0.0005, marginMs: 200, cooldownMs: 0 })),
  },
  {
    name: 'a claim is not remembered before it is sent',
    load: (disk) => ({ ...disk, pendingClaim: null }),
  },
  {
    name: 'a timed out claim is forgotten',
    step: leaving((after, event) =>
      event.type === 'write-done' && event.result.kind === 'unknown'
        ? patched({ ...after, claim: null }, { pendingClaim: null })
        : after,
    ),
  },
];
