/** Follows one write through the gateway and marks what it may have touched once it has ended, however it ended. */
import type { IncomingMessage } from 'node:http';
import type { WriteObserver } from '../gateway/write-gateway';
import type { DirtyTracker } from './dirty';
import { touchedBy } from './write-scan';

/** Longer bodies are not kept until their end; their collection is read whole. */
const MAX_KEPT_BYTES = 8 * 1024 * 1024;

export class WriteWatch implements WriteObserver {
  private chunks: Uint8Array[] | null = [];
  private bytes = 0;

  constructor(
    private readonly request: Pick<IncomingMessage, 'method' | 'url' | 'headers'>,
    private readonly tracker: DirtyTracker,
  ) {}

  forwarded(chunk: Uint8Array): void {
    this.bytes += chunk.length;
    if (this.bytes > MAX_KEPT_BYTES) this.chunks = null;
    else this.chunks?.push(chunk);
  }

  ended(): void {
    const { method = '', url = '', headers } = this.request;
    const body = this.chunks === null ? null : Buffer.concat(this.chunks);
    this.chunks = null;
    this.tracker.mark(touchedBy({ method, url, encoding: headers['content-encoding'], body }));
  }
}
