/** What only one site had, from both ends: set aside here, or merged here. */
import type { MergeRequest, MergeResponse } from '../../../infra/contract/agent-api';
import { SkippedError } from '../errors';
import type { RecordEvent, SiteClock } from '../ports';
import type { QdrantClient } from '../qdrant/client';
import type { Ledger } from '../state/ledger';
import { DivergedArchive } from './archive';
import { LoopbackGatewayWriter } from './gateway-writer';
import { mergeLines } from './merge';

export interface DivergedOptions {
  readonly site: string;
  readonly ledger: Ledger;
  readonly clock: SiteClock;
  readonly record: RecordEvent;
  readonly qdrant: QdrantClient;
  readonly isWritable: () => boolean;
  readonly gatewayPort: () => number;
  /** Of this site's gateway and Qdrant. */
  readonly apiKey: string;
}

export class Diverged {
  readonly archive: DivergedArchive;
  private readonly gateway: LoopbackGatewayWriter;

  constructor(private readonly options: DivergedOptions) {
    this.archive = new DivergedArchive(options);
    this.gateway = new LoopbackGatewayWriter({ port: options.gatewayPort, apiKey: options.apiKey });
  }

  /** Into this site's data; the write gateway refuses when the lease is not, or no longer, here. */
  async merge({ lines, policy, by, reason, first }: MergeRequest): Promise<MergeResponse> {
    const { site, qdrant, isWritable, record } = this.options;
    if (!isWritable()) {
      throw new SkippedError(
        'NOT_HOLDER',
        `${site} takes no writes at this moment: merge where the lease is, which \`failover status\` says.`,
      );
    }
    if (first && policy !== 'list') record('switch-step', `merge asked for by ${by} (${policy}): ${reason}`);
    return mergeLines(lines, policy, { qdrant, gateway: this.gateway });
  }

  close(): Promise<void> {
    return this.gateway.close();
  }
}
