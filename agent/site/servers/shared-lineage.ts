import type { Leadership } from '../../leadership';
import { readLineage, type PersistedState, type StatePort } from '../../lease';

/** The keeper's memory as part of the site's, which goes with the leadership. */
export class SharedLineage implements StatePort {
  constructor(
    private readonly leadership: Pick<Leadership, 'recall' | 'remember'>,
    private readonly site: string,
  ) {}

  load(): Promise<PersistedState | null> {
    try {
      return Promise.resolve(readLineage(this.leadership.recall('lineage'), `the memory of ${this.site}`));
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new Error(String(error)));
    }
  }

  save(state: PersistedState): Promise<void> {
    return this.leadership.remember('lineage', state);
  }
}
