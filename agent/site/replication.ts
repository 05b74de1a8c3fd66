/** What moves the data of one site, put together: digests, publishing, applying, bringing back, testing; and who does what when. */
import { dirname, join } from 'node:path';
import { SCRATCH_COLLECTION } from '../../infra/contract/agent-api';
import type { SiteAgentSpec } from '../../infra/contract/site-spec';
import { Digests } from './digest/digests';
import type { WriteGate } from './gateway/write-gate';
import { Operations } from './operations';
import type { PeerClient } from './peer/client';
import { heldEpoch, type KeeperPort, type RecordEvent, type SiteClock } from './ports';
import type { QdrantClient } from './qdrant/client';
import type { Parity } from './readiness';
import { Applier, type ApplyStep } from './snapshots/apply';
import type { PartStore } from './snapshots/parts';
import { Publisher, type PublishStep } from './snapshots/publish';
import { RestoreTester, type RestoreTestStep } from './snapshots/restore-test';
import { Rewinder } from './snapshots/rewind';
import { Staging } from './snapshots/staging';
import type { SnapshotStore } from './snapshots/store';
import type { Ledger } from './state/ledger';

/** Told of each step as it is reached; a test may stop there. */
export interface ReplicationSteps {
  readonly publish?: (step: PublishStep) => Promise<void>;
  readonly apply?: (step: ApplyStep) => Promise<void>;
  readonly restoreTest?: (step: RestoreTestStep) => Promise<void>;
}

export interface ReplicationOptions {
  readonly spec: SiteAgentSpec;
  readonly folders: { readonly state: string; readonly staging: string };
  readonly stores: { readonly snapshots: SnapshotStore; readonly parts: PartStore };
  readonly qdrant: QdrantClient;
  readonly gate: WriteGate;
  readonly keeper: KeeperPort;
  readonly ledger: Ledger;
  readonly clock: SiteClock;
  readonly record: RecordEvent;
  readonly peer: PeerClient;
  readonly agentVersion: string;
  /** A claim of the lease may be under way. */
  readonly claimPending: () => boolean;
  /** Told what the publisher of an applied publish was. */
  readonly learnParity: (parity: Parity) => Promise<void>;
  readonly step?: ReplicationSteps;
}

export interface Replication {
  readonly digests: Digests;
  readonly publisher: Publisher;
  readonly applier: Applier;
  readonly staging: Staging;
  readonly tester: RestoreTester;
  readonly operations: Operations;
  /** True while Qdrant's data is being replaced: it is neither served nor written to. */
  isApplying(): boolean;
}

export function replicationOf(options: ReplicationOptions): Replication {
  const { spec, folders, stores, qdrant, gate, keeper, ledger, clock, record, peer, step } = options;
  const shared = {
    ...{ spec, qdrant, keeper, ledger, clock, record },
    ...{ store: stores.snapshots, parts: stores.parts },
  };
  const staging = new Staging(folders.staging);
  const digests = new Digests({
    ...{ qdrant, ledger, clock, record },
    folder: join(folders.state, 'digests'),
    isHolder: () => heldEpoch(keeper) !== null,
    askPeer: (request) => peer.digestBucket(request),
  });
  const publisher = new Publisher({
    ...shared,
    gate,
    agentVersion: options.agentVersion,
    digests: digests.digester,
    ...(step?.publish === undefined ? {} : { step: step.publish }),
  });
  const applier = new Applier({
    ...shared,
    staging,
    claimPending: options.claimPending,
    learnParity: options.learnParity,
    digests: digests.check,
    digestFolder: digests.folder,
    divergedFolder: join(folders.state, 'diverged'),
    ...(step?.apply === undefined ? {} : { step: step.apply }),
  });
  const rewinder = new Rewinder({
    ...shared,
    staging,
    publisher,
    replaced: (names) => names.forEach((name) => digests.tracker.markWhole(name)),
  });
  const tester = new RestoreTester({
    ...shared,
    staging: new Staging(join(dirname(folders.staging), SCRATCH_COLLECTION)),
    ...(step?.restoreTest === undefined ? {} : { step: step.restoreTest }),
  });
  const operations = new Operations({
    ...{ site: spec.site, keeper, publisher, applier, rewinder, tester, peer, ledger, clock, record },
  });
  const isApplying = (): boolean => applier.isTouching || rewinder.isUnderWay;
  return { digests, publisher, applier, staging, tester, operations, isApplying };
}
