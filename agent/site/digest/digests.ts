/** Both sides of digests, put together for one site. */
import type { IncomingMessage } from 'node:http';
import type { Registry } from 'prom-client';
import type { DigestStatus, PeerDigestRequest, PeerDigestResponse } from '../../../infra/contract/agent-api';
import type { WriteObserver } from '../gateway/write-gateway';
import type { RecordEvent, SiteClock } from '../ports';
import type { QdrantClient } from '../qdrant/client';
import type { Ledger } from '../state/ledger';
import { DigestCheck } from './digest-check';
import { digestMetrics } from './digest-metrics';
import { Digester } from './digester';
import { DirtyTracker } from './dirty';
import { WriteWatch } from './write-watch';

export interface DigestsOptions {
  readonly qdrant: QdrantClient;
  readonly ledger: Ledger;
  readonly clock: SiteClock;
  readonly record: RecordEvent;
  readonly folder: string;
  readonly isHolder: () => boolean;
  /** How long an apply waits for the verdict; see `digest-check`. */
  readonly waitSeconds?: number;
  readonly askPeer: (request: PeerDigestRequest) => Promise<PeerDigestResponse['entries']>;
}

export class Digests {
  readonly digester: Digester;
  readonly check: DigestCheck;
  readonly tracker = new DirtyTracker();

  /** Of the tables. */
  readonly folder: string;

  constructor(options: DigestsOptions) {
    const { askPeer, folder } = options;
    this.folder = folder;
    this.digester = new Digester({ ...options, tracker: this.tracker });
    this.check = new DigestCheck({
      ...options,
      publishersBucket: async (publishId, collection, bucket) => {
        const entries = await askPeer({ publishId, collection, bucket });
        return entries === null
          ? null
          : new Map(entries.map(([key, payload, vectors]) => [key, { payload, vectors }]));
      },
    });
  }

  /** For each write that the gateway lets through. */
  observe(request: IncomingMessage): WriteObserver {
    return new WriteWatch(request, this.tracker);
  }

  status(): DigestStatus {
    return {
      verdict: this.check.verdict,
      comparing: this.check.isRunning,
      sameAgeSeconds: this.check.sameAgeSeconds(),
      absentFromPublish: this.digester.outcome?.absent ?? null,
    };
  }

  measure(registry: Registry): void {
    digestMetrics(registry, this);
  }

  stop(): Promise<void> {
    return this.check.stop();
  }
}
