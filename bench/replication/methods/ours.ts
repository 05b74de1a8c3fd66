/** The product's own publisher and applier, as its agent puts them together; only the lease is told rather than kept. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { WriteGate } from '../../../agent/site/gateway/write-gate';
import { QdrantClient } from '../../../agent/site/qdrant/client';
import { Applier } from '../../../agent/site/snapshots/apply';
import { Publisher } from '../../../agent/site/snapshots/publish';
import { Restic } from '../../../agent/site/snapshots/restic/command';
import { ResticParts } from '../../../agent/site/snapshots/restic/parts';
import { Repository } from '../../../agent/site/snapshots/restic/repository';
import { S3SnapshotStore } from '../../../agent/site/snapshots/s3-store';
import { Transfers } from '../../../agent/site/snapshots/transfers';
import { Staging } from '../../../agent/site/snapshots/staging';
import { siteClock } from '../../../agent/site/state/clock';
import { Ledger } from '../../../agent/site/state/ledger';
import { FakeKeeper } from '../../../agent/site/testing/fake-keeper';
import { API_KEY, STORE } from '../settings';
import type { MethodInput } from './method';

const HISTORY = { allHours: 2, hourlyHours: 48, dailyDays: 31 };
const PARITY = { configHash: 'bench', modelSha256: '0'.repeat(64), qdrantVersion: '1.18.3' };

export async function publish(input: MethodInput): Promise<void> {
  const { ledger, qdrant, store, parts } = await site('uk', input);
  const publisher = new Publisher({
    spec: {
      site: 'uk',
      snapshots: {
        rpoSeconds: 3600,
        history: HISTORY,
        holdWritesSeconds: 5,
        restoreTestIntervalHours: 0,
        maxMbitPerSecond: 0,
      },
      parity: PARITY,
    },
    ...{ store, parts, qdrant, ledger },
    gate: new WriteGate(),
    keeper: new FakeKeeper('uk', 'uk'),
    clock: siteClock(),
    record: () => undefined,
    agentVersion: 'bench',
  });
  await publisher.publish();
}

export async function apply(input: MethodInput): Promise<void> {
  const { ledger, qdrant, store, parts, snapshots } = await site('eu', input);
  const applier = new Applier({
    spec: { site: 'eu' },
    ...{ store, parts, qdrant, ledger },
    staging: new Staging(path.join(snapshots, 'failover-staging')),
    keeper: new FakeKeeper('eu', 'uk'),
    clock: siteClock(),
    record: () => undefined,
    claimPending: () => false,
    learnParity: (peerParity) => ledger.update({ peerParity }),
    divergedFolder: path.join(input.state, 'diverged'),
    digestFolder: path.join(input.state, 'digests'),
  });
  await applier.apply();
}

async function site(name: 'uk' | 'eu', { port, folder, endpoint, bucket, state, restic }: MethodInput) {
  const snapshots = path.join(folder, 'snapshots');
  const keyFile = path.join(state, 'repository-key');
  await mkdir(state, { recursive: true });
  await writeFile(keyFile, 'bench-repository-key\n', { mode: 0o600 });
  const at = {
    ...{ endpoint, bucket, region: STORE.region },
    account: { accessKey: STORE.accessKey, secretKey: STORE.secretKey },
  };
  const repository = new Repository(
    new Restic({
      ...at,
      ...{ program: restic, keyFile, cacheFolder: path.join(state, 'restic-cache'), maxMbitPerSecond: 0 },
    }),
    name,
  );
  return {
    snapshots,
    ledger: await Ledger.open(path.join(state, 'ledger.json')),
    qdrant: new QdrantClient({ port, apiKey: API_KEY }),
    store: new S3SnapshotStore(at),
    parts: new ResticParts(
      repository,
      path.join(snapshots, 'failover-parts'),
      new Transfers(siteClock(), () => undefined),
    ),
  };
}
