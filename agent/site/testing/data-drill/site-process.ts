/**
 * A site agent in a process of its own, as its unit starts it, but with the drill's faults at its steps. The agent itself
 * knows nothing of them: it is given step hooks, stores and a logger, as any test may.
 */
import { readFileSync } from 'node:fs';
import pino from 'pino';
import type { SiteAgentSpec } from '../../../../infra/contract/site-spec';
import { S3LeaseStore, type LeaseStore } from '../../../lease';
import { startSite } from '../../site';
import type { PartStore } from '../../snapshots/parts';
import { Restic } from '../../snapshots/restic/command';
import { ResticParts } from '../../snapshots/restic/parts';
import { Repository } from '../../snapshots/restic/repository';
import { S3SnapshotStore } from '../../snapshots/s3-store';
import type { SnapshotStore } from '../../snapshots/store';
import { Transfers } from '../../snapshots/transfers';
import { siteClock } from '../../state/clock';
import { StepFaults, type StepFault } from './step-faults';
import { shiftWallClock } from './wall-clock';

const REGION = 'us-east-1';

export interface StoreAddress {
  readonly endpoint: string;
  readonly bucket: string;
}

export interface SiteProcessConfig {
  readonly spec: SiteAgentSpec;
  readonly keys: { readonly operator: string; readonly peer: string; readonly qdrant: string };
  readonly account: { readonly accessKey: string; readonly secretKey: string };
  readonly ports: { readonly agent: number; readonly gateway: number };
  readonly peerPort: number;
  readonly folders: {
    readonly state: string;
    readonly staging: string;
    readonly requests: string;
    readonly parts: string;
  };
  readonly restic: { readonly program: string; readonly keyFile: string; readonly cacheFolder: string };
  readonly stores: { readonly lease: StoreAddress; readonly snapshots: StoreAddress };
  /** Everything it logs, appended. */
  readonly logFile: string;
  readonly hitFile: string;
}

export type ToSite =
  | { readonly type: 'arm'; readonly fault: StepFault }
  | { readonly type: 'release' }
  | { readonly type: 'wall-clock'; readonly offsetMs: number };
export type FromSite =
  { readonly type: 'ready' } | { readonly type: 'done' } | { readonly type: 'held'; readonly step: string };

async function main(configFile: string): Promise<void> {
  const config = JSON.parse(readFileSync(configFile, 'utf8')) as SiteProcessConfig;
  const tell = (message: FromSite): void => void process.send?.(message);
  const faults = new StepFaults(config.hitFile, (step) => tell({ type: 'held', step }));
  process.on('message', (message: ToSite) => {
    if (message.type === 'arm') faults.arm(message.fault);
    else if (message.type === 'release') faults.release();
    else shiftWallClock(message.offsetMs);
    tell({ type: 'done' });
  });
  // Without the drill there is nobody to end it.
  process.on('disconnect', () => process.exit());
  const { spec, keys, account } = config;
  await startSite({
    spec,
    credentials: {
      operatorKey: keys.operator,
      peerKey: keys.peer,
      qdrantKey: keys.qdrant,
      vllmKey: 'none',
      store: account,
    },
    folders: config.folders,
    stores: {
      lease: leaseStore(config, faults),
      snapshots: snapshotStore(config, faults),
      parts: partStore(config),
    },
    logger: logger(config.logFile, faults),
    agentVersion: 'drill',
    ports: config.ports,
    probeEdge: () => Promise.resolve({ outcome: 'ok', detail: 'no edge here' }),
    peerOrigin: () => `http://127.0.0.1:${config.peerPort}`,
    step: {
      publish: (step) => faults.reach(`publish/${step}`),
      apply: (step) => faults.reach(`apply/${step}`),
      restoreTest: (step) => faults.reach(`restore-test/${step}`),
    },
  });
  tell({ type: 'ready' });
}

function partStore({ spec, stores, account, restic, folders }: SiteProcessConfig): PartStore {
  const engine = new Restic({ ...stores.snapshots, ...restic, region: REGION, account, maxMbitPerSecond: 0 });
  const transfers = new Transfers(siteClock(), () => undefined);
  return new ResticParts(new Repository(engine, spec.site), folders.parts, transfers);
}

/** The last moment before the pointer moves is a step: whoever is there has checked everything that it checks. */
function snapshotStore({ stores, account }: SiteProcessConfig, faults: StepFaults): SnapshotStore {
  const store = new S3SnapshotStore({ ...stores.snapshots, region: REGION, account });
  const move = store.moveLatest.bind(store);
  store.moveLatest = async (pointer, ifToken) => {
    await faults.reach('store/move-latest');
    return move(pointer, ifToken);
  };
  return store;
}

/** Claims and hand-overs are steps of their own: before they are sent, and when they are done but nobody knows yet. */
function leaseStore({ spec, stores, account }: SiteProcessConfig, faults: StepFaults): LeaseStore {
  const store = new S3LeaseStore({
    ...stores.lease,
    region: REGION,
    account,
    requestTimeoutMs: spec.lease.requestTimeoutSeconds * 1000,
  });
  let epoch = 0;
  return {
    read: async () => {
      const found = await store.read();
      if (found !== 'absent') epoch = found.lease.epoch;
      return found;
    },
    write: async (lease, ifMatch) => {
      const change = lease.holder !== spec.site ? 'handover' : lease.epoch > epoch ? 'claim' : 'renewal';
      await faults.reach(`lease/${change}`);
      const result = await store.write(lease, ifMatch);
      await faults.reach(`lease/${change}-written`);
      return result;
    },
    appendHistory: (entry) => store.appendHistory(entry),
    history: () => store.history(),
  };
}

/** Events reach the log before what follows from them is done, so they are steps as well. */
function logger(file: string, faults: StepFaults): pino.Logger {
  return pino(
    {
      hooks: {
        logMethod(input, method) {
          method.apply(this, input);
          const [fields, detail] = input as unknown[];
          if (typeof fields !== 'object' || fields === null || !('event' in fields)) return;
          faults.pass(`event/${String(fields.event)}`);
          faults.pass(`event/${String(fields.event)}:${String(detail)}`);
        },
      },
    },
    pino.destination({ dest: file, append: true, sync: true }),
  );
}

main(process.argv[2] ?? '').catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
