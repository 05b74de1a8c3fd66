/**
 * Replication between a site whose Qdrant is a cluster and one with a single node, with real nodes (QDRANT_BIN or the
 * toolchain's). Run with `npx jest -c jest.lab.config.js agent/site/snapshots`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { SiteAgentSpec } from '../../../infra/contract/site-spec';
import { WriteGate } from '../gateway/write-gate';
import type { QdrantClient } from '../qdrant/client';
import { siteClock } from '../state/clock';
import { Ledger } from '../state/ledger';
import { FakeKeeper } from '../testing/fake-keeper';
import { MemorySnapshotStore } from '../testing/memory-snapshot-store';
import { findQdrant, RealQdrant } from '../testing/real-qdrant';
import { RealCluster } from '../testing/real-cluster';
import { scratchFolder } from '../testing/scratch';
import { eventually } from '../testing/two-sites';
import { PARITY, SNAPSHOTS } from '../testing/world';
import { Applier } from './apply';
import { Publisher } from './publish';
import { Staging } from './staging';

jest.setTimeout(120_000);

const executable = findQdrant();
const suite = executable === undefined ? describe.skip : describe;
const KEY = 'qdrant-key';
const POINTS = 200;

interface Half {
  readonly publisher: Publisher;
  readonly applier: Applier;
  readonly keeper: FakeKeeper;
}

suite('replication with a cluster on one side', () => {
  let store: MemorySnapshotStore;
  let folder: string;
  let cluster: RealCluster;
  let single: RealQdrant;
  let uk: Half;
  let eu: Half;

  beforeEach(async () => {
    store = new MemorySnapshotStore();
    folder = mkdtempSync(join(scratchFolder(), 'cluster-'));
    cluster = await RealCluster.start(executable ?? '', KEY, 2);
    single = await RealQdrant.start(executable ?? '', KEY);
    const others = [{ name: 'uk-2', address: '10.1.0.11' }];
    const servers = { own: 'uk-1', founder: true, replicas: 2, others };
    uk = await half('uk', cluster.client(0), cluster.snapshots(0), servers);
    eu = await half('eu', single.client, single.snapshots, undefined);
  });

  afterEach(async () => {
    await cluster.dispose();
    await single.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  async function half(
    site: string,
    qdrant: QdrantClient,
    snapshots: string,
    servers: SiteAgentSpec['servers'],
  ): Promise<Half> {
    const keeper = new FakeKeeper(site, 'uk');
    const ledger = await Ledger.open(join(folder, `${site}.json`));
    const common = {
      store,
      parts: store,
      qdrant,
      keeper,
      ledger,
      clock: siteClock(),
      record: () => undefined,
    };
    const spec = {
      site,
      snapshots: SNAPSHOTS,
      parity: PARITY,
      ...(servers === undefined ? {} : { servers }),
    };
    const publisher = new Publisher({ ...common, spec, gate: new WriteGate(), agentVersion: 'test' });
    const applier = new Applier({
      ...common,
      spec,
      staging: new Staging(join(snapshots, 'failover-staging')),
      claimPending: () => false,
      learnParity: () => Promise.resolve(),
      divergedFolder: join(folder, 'diverged'),
      digestFolder: join(folder, `digests-${site}`),
    });
    return { publisher, applier, keeper };
  }

  async function fill(collection: string): Promise<void> {
    const points = Array.from({ length: POINTS }, (_, id) => ({ id, vector: [id % 7, id % 11, 1, 0.5] }));
    const url = `http://127.0.0.1:${cluster.port(0)}/collections/${collection}/points?wait=true`;
    const headers = { 'api-key': KEY, 'content-type': 'application/json' };
    const { status } = await fetch(url, { method: 'PUT', headers, body: JSON.stringify({ points }) });
    expect(status).toBe(200);
  }

  const vectors = { size: 4, distance: 'Dot' };

  it('restores a single node from a cluster, and the cluster from the single node with replicas of its own', async () => {
    await cluster.client(0).createCollection('docs', { vectors, shard_number: 3, replication_factor: 2 });
    await fill('docs');
    await uk.publisher.publish();
    await eu.applier.apply();
    expect(await single.client.count('docs')).toBe(POINTS);

    // The other way: eu holds, and the cluster has lost its own.
    for (const { keeper } of [uk, eu]) Object.assign(keeper, { holder: 'eu', leaseEpoch: 2 });
    await cluster.client(0).deleteCollection('docs');
    await eu.publisher.publish();
    await uk.applier.apply();
    const { local, remote } = await cluster.client(0).shards('docs');
    expect([...local, ...remote].map(({ state }) => state)).toEqual(Array(6).fill('Active'));
    await cluster.kill(0);
    expect(await cluster.client(1).count('docs')).toBe(POINTS);
  });

  it('copies a shard that only one node has to the others, so that any may publish', async () => {
    await cluster.client(0).createCollection('docs', { vectors, shard_number: 1, replication_factor: 1 });
    await fill('docs');
    let refusal: unknown;
    await eventually('a publish is made, the shard being where it is or having come', () =>
      uk.publisher.publish().then(
        () => true,
        (error: unknown) => {
          refusal = error;
          return false;
        },
      ),
    ).catch((error: unknown) => {
      throw refusal ?? error;
    });
    await eventually('both nodes have the shard', async () => {
      const { local, remote } = await cluster.client(0).shards('docs');
      return local[0]?.state === 'Active' && remote[0]?.state === 'Active';
    });
    await cluster.kill(0);
    expect(await cluster.client(1).count('docs')).toBe(POINTS);
  });
});
