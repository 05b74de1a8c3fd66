/** The keeper's memory, looked at on its way to disk: it holds a claim before the claim is sent. */
import type { PersistedState, StatePort } from '../../lease';

export class WatchedLineage implements StatePort {
  private pending = false;

  constructor(private readonly file: StatePort) {}

  /** True from before a claim is sent until its outcome is known. */
  get claimPending(): boolean {
    return this.pending;
  }

  async load(): Promise<PersistedState | null> {
    const state = await this.file.load();
    this.pending = (state?.pendingClaim ?? null) !== null;
    return state;
  }

  async save(state: PersistedState): Promise<void> {
    this.pending = state.pendingClaim !== null;
    await this.file.save(state);
  }
}
