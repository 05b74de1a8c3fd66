/** The rules of the leadership, each taken away in turn. None of this can be switched on in the product. */
import type { leaderStep } from '../core';
import type { LeaderConfig, LeaderEvent, LeaderState } from '../model';

type Step = typeof leaderStep;

export interface LeaderMutation {
  readonly name: string;
  readonly config?: Partial<LeaderConfig>;
  readonly step?: (original: Step) => Step;
  readonly started?: (state: LeaderState) => LeaderState;
  readonly storeIgnoresEtags?: boolean;
}

export const NO_MUTATION: LeaderMutation = { name: 'the product as it is' };

const seeing =
  (change: (state: LeaderState, event: LeaderEvent) => LeaderState) =>
  (original: Step): Step =>
  (state, event) =>
    original(change(state, event), event);

const leaving =
  (change: (after: LeaderState, event: LeaderEvent, before: LeaderState) => LeaderState) =>
  (original: Step): Step =>
  (state, event) => {
    const result = original(state, event);
    return { ...result, state: change(result.state, event, state) };
  };

const lead = (state: LeaderState, change: Partial<NonNullable<LeaderState['lead']>>): LeaderState =>
  state.lead === null ? state : { ...state, lead: { ...state.lead, ...change } };

export const LEADER_MUTANTS: readonly LeaderMutation[] = [
  {
    name: 'another claims before the time of the one that leads is over',
    step: seeing((state, { now }) =>
      state.seen === null
        ? state
        : { ...state, seen: { ...state.seen, changedAt: now - 0.8 * state.config.ttlMs * 1.3 } },
    ),
  },
  {
    name: 'a fresh process takes what it sees for long unchanged',
    step: leaving((after, _event, before) =>
      before.seen === null && after.seen !== null
        ? { ...after, seen: { ...after.seen, changedAt: -Infinity } }
        : after,
    ),
  },
  {
    name: 'whoever leads counts from the answer, not from the question',
    step: seeing((state, event) =>
      event.type === 'write-done' && state.operation?.write != null
        ? {
            ...state,
            operation: { ...state.operation, write: { ...state.operation.write, sentAt: event.now } },
          }
        : state,
    ),
  },
  {
    name: 'a write without an answer counts',
    step: leaving((after, event) =>
      event.type === 'write-done' && event.result.kind === 'unknown'
        ? lead(after, { storeDeadline: event.now + after.config.ttlMs - after.config.marginMs })
        : after,
    ),
  },
  {
    name: 'whoever leads goes on although its time is over',
    step: leaving((after) => lead(after, { storeDeadline: Infinity })),
  },
  {
    name: 'a promise does not keep a server from claiming',
    step: leaving((after) => ({ ...after, grantedUntil: -Infinity })),
  },
  {
    name: 'a promise counts from its answer',
    step: seeing((state, event) =>
      event.type === 'promise-answered' && state.ask !== null
        ? { ...state, ask: { ...state.ask, sentAt: event.now } }
        : state,
    ),
  },
  {
    name: 'the promise of one server counts for all',
    step: seeing((state, event) =>
      event.type === 'promise-answered' && event.granted && state.ask !== null
        ? { ...state, ask: { ...state.ask, missing: [event.server] } }
        : state,
    ),
  },
  {
    name: 'clocks are taken to run alike, without a margin',
    config: { drift: 0, marginMs: 0 },
  },
  { name: 'the store ignores ETags', storeIgnoresEtags: true },
  {
    name: 'the memory does not go along',
    step: (original) => (state, event) => {
      const result = original(state, event);
      const seenTerm = state.seen?.kind === 'record' ? state.seen.record.term : 0;
      return {
        ...result,
        actions: result.actions.map((action) =>
          action.type === 'write' && action.record.term > seenTerm
            ? { ...action, record: { ...action.record, memory: { counter: 0 } } }
            : action,
        ),
        state:
          result.state.operation?.kind === 'claim' && result.state.operation.write !== null
            ? {
                ...result.state,
                operation: {
                  ...result.state.operation,
                  write: {
                    ...result.state.operation.write,
                    record: { ...result.state.operation.write.record, memory: { counter: 0 } },
                  },
                },
              }
            : result.state,
      };
    },
  },
];
