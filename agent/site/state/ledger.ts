/**
 * What must survive a kill at any moment: which publish is in Qdrant, whether one is being put there, and what this
 * site has published. Each change is on disk before the step that relies on it.
 */
import { z } from 'zod';
import { MERGE_POLICIES } from '../../../infra/contract/agent-api';
import { AgentError } from '../../shared/errors';
import { messageOf } from '../errors';
import { readIfPresent, writeDurably } from './durable-file';

const Anchor = z.object({ bootId: z.string(), monotonicMs: z.number(), ageSeconds: z.number() });
const Publish = z.object({
  id: z.string(),
  site: z.string(),
  epoch: z.number(),
  points: z.number(),
  bytes: z.number(),
});

const SetAside = z.object({
  epoch: z.number(),
  folder: z.string(),
  at: z.string(),
  /** What only this site had; null when nobody has looked. */
  counts: z
    .object({
      inserted: z.number(),
      changed: z.number(),
      deleted: z.number(),
      unknown: z.number(),
      collections: z.number(),
    })
    .nullable()
    .default(null),
  base: z.string().nullable().default(null),
  merged: z
    .object({
      at: z.string(),
      by: z.string(),
      reason: z.string(),
      policy: z.enum(MERGE_POLICIES),
      outcome: z.object({ applied: z.number(), present: z.number(), conflicts: z.number() }),
    })
    .nullable()
    .default(null),
});

const LedgerState = z.object({
  version: z.literal(1),
  /** Last publish whose pointer moved; the anchor's age is that of its data. */
  published: Publish.extend({ anchor: Anchor }).nullable(),
  /** A publish under way: snapshots that were there before it, so that a restart removes only its own. */
  publishing: z.object({ id: z.string(), preexisting: z.record(z.string(), z.array(z.string())) }).nullable(),
  /** What Qdrant holds, verified: applied here, or published by this site and handed over cleanly. */
  applied: Publish.extend({ anchor: Anchor, via: z.enum(['apply', 'hand-over']) }).nullable(),
  /** Set before the first touch of Qdrant and cleared after verification: while set, the data cannot be trusted. */
  applying: z.object({ id: z.string(), site: z.string(), epoch: z.number() }).nullable(),
  /**
   * The holder's own data is being brought back to an earlier publish. Nothing is touched before `kept` names the publish
   * of what was there.
   */
  rewinding: z
    .object({
      id: z.string(),
      site: z.string(),
      by: z.string(),
      reason: z.string(),
      kept: z.string().nullable(),
    })
    .nullable()
    .default(null),
  /** The publish whose verified parts are kept in the staging folder for going back to. */
  lastGood: z.string().nullable(),
  /** Data of this site's own that was set aside before being overwritten, newest last. */
  setAside: z.array(SetAside),
  /** The publish that this site's data began from when it last took the lease; null when that is not known. */
  basedOn: z.string().nullable().default(null),
  /** What the newest comparison with a publish's digest found. */
  digest: z
    .object({
      publishId: z.string(),
      result: z.enum(['same', 'different', 'absent']),
      details: z.array(z.string()).readonly(),
      seconds: z.number(),
      points: z.number(),
    })
    .nullable()
    .default(null),
  /** When a drill was last told of, or this site began to wait for the first; and how it went. */
  drill: z
    .object({
      since: z.string(),
      last: z.object({ id: z.string(), scenario: z.string(), passed: z.boolean() }).nullable(),
    })
    .nullable()
    .default(null),
  /** When this site last tested a restore, or began to wait for the first; and what came of it. */
  restoreTest: z
    .object({
      since: z.string(),
      verdict: z
        .object({
          publishId: z.string(),
          collection: z.string(),
          result: z.enum(['passed', 'failed']),
          details: z.array(z.string()).readonly(),
          points: z.number(),
          bytes: z.number(),
          seconds: z.number(),
        })
        .nullable(),
    })
    .nullable()
    .default(null),
  /** Since every point here was last found to be the publisher's. */
  digestSame: Anchor.nullable().default(null),
  /** The peer's newest known parity, by which this site judges whether it could take over. */
  peerParity: z
    .object({
      configHash: z.string(),
      modelSha256: z.string(),
      replacesModelSha256: z.string().optional(),
      qdrantVersion: z.string(),
    })
    .nullable(),
});
export type LedgerState = z.output<typeof LedgerState>;

const EMPTY: LedgerState = {
  version: 1,
  published: null,
  publishing: null,
  applied: null,
  applying: null,
  rewinding: null,
  lastGood: null,
  setAside: [],
  basedOn: null,
  digest: null,
  drill: null,
  restoreTest: null,
  digestSame: null,
  peerParity: null,
};

export class LedgerCorruptError extends AgentError {
  readonly code = 'LEDGER_CORRUPT';
}

export class Ledger {
  private pending: Promise<void> = Promise.resolve();

  private constructor(
    private current: LedgerState,
    private readonly save: (state: LedgerState) => Promise<void>,
  ) {}

  static async open(path: string): Promise<Ledger> {
    const text = await readIfPresent(path);
    const save = (state: LedgerState): Promise<void> => writeDurably(path, JSON.stringify(state));
    if (text === null) return new Ledger(EMPTY, save);
    try {
      return new Ledger(LedgerState.parse(JSON.parse(text)), save);
    } catch (cause) {
      throw new LedgerCorruptError(
        `${path} is not a ledger of this agent (${messageOf(cause)}). Move it away and re-protect this site: ` +
          'without it nobody can say which data Qdrant holds.',
        { cause },
      );
    }
  }

  /** A ledger that is kept elsewhere, such as in the memory of a site with several servers. */
  static kept(value: unknown, where: string, save: (state: LedgerState) => Promise<void>): Ledger {
    if (value === null) return new Ledger(EMPTY, save);
    const parsed = LedgerState.safeParse(value);
    if (!parsed.success) {
      throw new LedgerCorruptError(
        `${where} holds no ledger of this agent (${messageOf(parsed.error)}). Run one release on all of the site's servers.`,
        { cause: parsed.error },
      );
    }
    return new Ledger(parsed.data, save);
  }

  get state(): LedgerState {
    return this.current;
  }

  /** Resolves when the change is on disk. In memory it counts at once, which can only make this site more careful. */
  async update(change: Partial<Omit<LedgerState, 'version'>>): Promise<void> {
    this.current = { ...this.current, ...change };
    const state = this.current;
    const write = this.pending.then(() => this.save(state));
    this.pending = write.catch(() => undefined);
    await write;
  }
}
