/**
 * A read of one point in each collection: `/readyz` of Qdrant never goes back to false, and a shard that was cut short
 * in recovery says `Active` with no points while its reads fail.
 */
import { messageOf } from '../errors';
import { QdrantRequestError, type QdrantClient } from '../qdrant/client';
import type { ProbeResult } from './verdict';

/** With more collections than this, they take turns. */
const COLLECTIONS_PER_PROBE = 8;

export class VectorsProbe {
  private turn = 0;

  constructor(
    private readonly options: {
      readonly qdrant: QdrantClient;
      readonly timeoutMs: number;
      /** Reads fail while a shard is being replaced, which says nothing about Qdrant's health. */
      readonly isApplying: () => boolean;
    },
  ) {}

  async probe(): Promise<ProbeResult> {
    const { qdrant, timeoutMs, isApplying } = this.options;
    try {
      const names = await qdrant.collectionNames(timeoutMs);
      if (names.length === 0) return { outcome: 'ok', detail: 'no collections; Qdrant answers' };
      if (isApplying()) return { outcome: 'ok', detail: 'Qdrant answers; a publish is being applied' };
      const chosen = this.choose(names);
      const failures = await Promise.all(chosen.map((name) => this.read(name)));
      const failure = failures.find((found) => found !== null) ?? null;
      // An apply that began meanwhile explains any failure.
      if (failure !== null && !isApplying()) return { outcome: 'failed', detail: failure };
      return { outcome: 'ok', detail: `${chosen.length} of ${names.length} collections read` };
    } catch (error) {
      return { outcome: 'failed', detail: messageOf(error) };
    }
  }

  private async read(name: string): Promise<string | null> {
    try {
      const body = { limit: 1, with_payload: false, with_vector: false };
      await this.options.qdrant.scroll(name, body, this.options.timeoutMs);
      return null;
    } catch (error) {
      // Deleted between the list and the read.
      if (error instanceof QdrantRequestError && error.status === 404) return null;
      return messageOf(error);
    }
  }

  private choose(names: readonly string[]): string[] {
    if (names.length <= COLLECTIONS_PER_PROBE) return [...names];
    const chosen: string[] = [];
    for (let count = 0; count < COLLECTIONS_PER_PROBE; count += 1) {
      const name = names[(this.turn + count) % names.length];
      if (name !== undefined) chosen.push(name);
    }
    this.turn = (this.turn + COLLECTIONS_PER_PROBE) % names.length;
    return chosen;
  }
}
