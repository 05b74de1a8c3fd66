/** Keeps every attempt, and answers the questions that decide how a drill goes on. */
import type { Attempt, ClientInfo } from './record';

interface Latest {
  lastSuccessEnd: number | null;
  /** End of the first success since the latest failure. */
  wellSince: number | null;
  lastFailureStart: number | null;
  lastError: string | null;
  successes: number;
  errors: number;
  /** Start of every request that has no answer yet, by its number. */
  readonly open: Map<number, number>;
}

export class Recorder {
  readonly attempts: Attempt[] = [];
  private readonly latest = new Map<string, Latest>();

  constructor(private readonly clients: readonly ClientInfo[]) {
    for (const client of clients) {
      this.latest.set(client.name, {
        lastSuccessEnd: null,
        wellSince: null,
        lastFailureStart: null,
        lastError: null,
        successes: 0,
        errors: 0,
        open: new Map(),
      });
    }
  }

  readonly begin = (client: string, seq: number, start: number): void => {
    this.latest.get(client)?.open.set(seq, start);
  };

  readonly add = (attempt: Attempt): void => {
    this.attempts.push(attempt);
    const state = this.latest.get(attempt.client);
    if (state === undefined) return;
    state.open.delete(attempt.seq);
    if (attempt.ok) {
      state.successes += 1;
      state.lastSuccessEnd = Math.max(state.lastSuccessEnd ?? 0, attempt.end);
      // A success that began before the latest failure began says nothing about now.
      if (state.lastFailureStart === null || attempt.start >= state.lastFailureStart)
        state.wellSince ??= attempt.end;
    } else {
      state.errors += 1;
      state.lastError = attempt.error;
      state.lastFailureStart = Math.max(state.lastFailureStart ?? 0, attempt.start);
      state.wellSince = null;
    }
  };

  /** Clients whose success is expected at all times: all but the pinned ones. */
  private get following(): readonly ClientInfo[] {
    return this.clients.filter((client) => client.kind !== 'pinned');
  }

  /**
   * Every following client has succeeded, and only succeeded, for this long, and its latest success is fresh. What is
   * still unanswered may yet fail, and a failure counts from its start: only the time before it is known to be well.
   */
  allWellFor(ms: number, now: number): boolean {
    return this.following.every((client) => {
      const state = this.latest.get(client.name);
      if (state?.wellSince == null || state.lastSuccessEnd === null) return false;
      const known = Math.min(now, ...state.open.values());
      return (
        known - state.wellSince >= ms && now - state.lastSuccessEnd <= client.periodMs + client.timeoutMs
      );
    });
  }

  /** The client that has been without a success for longest, and for how long. */
  longestSilence(since: number, now: number): { client: string; seconds: number } {
    let worst = { client: '', seconds: 0 };
    for (const client of this.following) {
      const state = this.latest.get(client.name);
      if (state?.wellSince != null) continue;
      const seconds = (now - Math.max(since, state?.lastSuccessEnd ?? since)) / 1000;
      if (seconds > worst.seconds) worst = { client: client.name, seconds };
    }
    return worst;
  }

  /** Following clients that are not well now, with their latest error. */
  unwell(): { client: string; error: string }[] {
    return this.following.flatMap((client) => {
      const state = this.latest.get(client.name);
      if (state?.wellSince != null) return [];
      return [{ client: client.name, error: state?.lastError ?? 'no answer yet' }];
    });
  }

  totals(): { ok: number; errors: number } {
    let ok = 0;
    let errors = 0;
    for (const client of this.following) {
      ok += this.latest.get(client.name)?.successes ?? 0;
      errors += this.latest.get(client.name)?.errors ?? 0;
    }
    return { ok, errors };
  }
}
