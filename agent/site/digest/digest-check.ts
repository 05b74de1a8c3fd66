/**
 * The other site's side: reads all that an apply has put in place and compares it with the publish's digest. An apply
 * waits for the verdict for a moment; where there is much to read it comes later, and the site stays promotable
 * meanwhile on counts and known answers.
 */
import { AgentError } from '../../shared/errors';
import { messageOf } from '../errors';
import type { RecordEvent, SiteClock } from '../ports';
import type { Manifest } from '../snapshots/manifest';
import { RestoreVerificationError } from '../snapshots/restore';
import { anchorAge, ageOf } from '../state/age';
import type { Ledger } from '../state/ledger';
import { compareDigests, type ComparePorts, type Comparison } from './compare';

/** `same` and `different` were found by reading every point; `absent`: the publish has no digest of some collection. */
export type DigestResult = 'same' | 'different' | 'absent';

export interface DigestVerdict {
  readonly publishId: string;
  readonly result: DigestResult;
  readonly details: readonly string[];
  readonly seconds: number;
  readonly points: number;
}

export class DigestStoppedError extends AgentError {
  readonly code = 'DIGEST_CHECK_STOPPED';
}

export interface DigestCheckOptions extends Omit<ComparePorts, 'meanwhile'> {
  readonly ledger: Ledger;
  readonly clock: SiteClock;
  readonly record: RecordEvent;
  /** From a claim on, what is here is the service's own and changes. */
  readonly isHolder: () => boolean;
  /** How long an apply waits for the verdict. */
  readonly waitSeconds?: number;
}

const WAIT_SECONDS = 2;

export class DigestCheck {
  private running: { readonly id: string; stopped: boolean; readonly done: Promise<unknown> } | null = null;

  constructor(private readonly options: DigestCheckOptions) {}

  /** Of what is here now; null when it has not been compared, or not yet. */
  get verdict(): DigestVerdict | null {
    const { digest, applied } = this.options.ledger.state;
    return digest === null || digest.publishId !== applied?.id ? null : digest;
  }

  /** The newest verdict, of a publish that was refused for it as well. */
  get last(): DigestVerdict | null {
    return this.options.ledger.state.digest;
  }

  get isRunning(): boolean {
    return this.running !== null;
  }

  /** Since the last time that every point was read and found to be the publisher's. */
  sameAgeSeconds(): number | null {
    return ageOf(this.options.ledger.state.digestSame, this.options.clock);
  }

  /**
   * Begins to compare, and waits a moment for the verdict.
   *
   * @throws RestoreVerificationError when the verdict came in time and something is different
   */
  async verify(manifest: Pick<Manifest, 'id' | 'collections'>): Promise<void> {
    await this.stop();
    let late = false;
    const work = this.run(manifest, () => late);
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), (this.options.waitSeconds ?? WAIT_SECONDS) * 1000);
    });
    const verdict = await Promise.race([work, patience]);
    clearTimeout(timer);
    late = true;
    if (verdict?.result === 'different') throw new RestoreVerificationError(manifest.id, verdict.details);
  }

  /** Ends a comparison under way: what it reads is about to change, or to be the service's own. */
  async stop(): Promise<void> {
    const { running } = this;
    if (running === null) return;
    running.stopped = true;
    await running.done;
  }

  /** Resolves when no comparison is under way. */
  async settled(): Promise<void> {
    await this.running?.done;
  }

  private run(
    manifest: Pick<Manifest, 'id' | 'collections'>,
    isLate: () => boolean,
  ): Promise<DigestVerdict | null> {
    const token = { id: manifest.id, stopped: false, done: Promise.resolve() as Promise<unknown> };
    const work = this.judge(manifest, token, isLate).finally(() => {
      if (this.running === running) this.running = null;
    });
    const running = Object.assign(token, { done: work });
    this.running = running;
    return work;
  }

  private async judge(
    manifest: Pick<Manifest, 'id' | 'collections'>,
    token: { readonly stopped: boolean },
    isLate: () => boolean,
  ): Promise<DigestVerdict | null> {
    const { clock, ledger, record, isHolder } = this.options;
    const startedMs = clock.monotonicMs();
    const meanwhile = (): void => {
      if (token.stopped || isHolder()) throw new DigestStoppedError(`Stopped comparing ${manifest.id}.`);
    };
    try {
      const compared = await compareDigests(manifest.id, manifest.collections, {
        ...this.options,
        meanwhile,
      });
      meanwhile();
      const verdict = verdictOf(manifest.id, compared, (clock.monotonicMs() - startedMs) / 1000);
      await ledger.update({
        digest: verdict,
        ...(verdict.result === 'same' ? { digestSame: anchorAge(clock, 0) } : {}),
      });
      if (verdict.result === 'different' && isLate()) {
        record('alert', `${manifest.id} is not what was published: ${verdict.details.join('; ')}`);
      }
      return verdict;
    } catch (error) {
      if (!(error instanceof DigestStoppedError)) {
        record('alert', `${manifest.id} could not be compared with its digest: ${messageOf(error)}`);
      }
      return null;
    }
  }
}

function verdictOf(publishId: string, compared: Comparison, seconds: number): DigestVerdict {
  const { differences, absent, points } = compared;
  if (differences.length > 0)
    return { publishId, result: 'different', details: differences, seconds, points };
  return { publishId, result: absent.length > 0 ? 'absent' : 'same', details: absent, seconds, points };
}
