/** Starts what a world of the data drill is made of, and ends it again. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Versitygw } from '../../../lease/testing/versitygw';
import { freePort } from '../free-port';
import { FakeEngine } from '../two-sites';
import { DrillSite, type Programs } from './drill-site';
import type { SiteName } from './drill-spec';
import { SmallDisk } from './small-disk';

export const SNAPSHOT_BUCKET = 'failover-snapshots';
const LEASE_BUCKET = 'failover-lease';

export interface WorldOptions {
  readonly programs: Programs;
  /** Each site and the store get a disk of so many MiB, which can be filled; needs root. */
  readonly diskMiB?: number;
}

export interface WorldParts {
  readonly sites: readonly [uk: DrillSite, eu: DrillSite];
  /** Holds the publishes. The lease is in another store, so that one can be away without the other. */
  readonly store: Versitygw;
  readonly disks: readonly SmallDisk[];
}

export type Undo = () => void | Promise<void>;

/** @param undo gets what ends each part as soon as it has begun */
export async function buildParts({ programs, diskMiB }: WorldOptions, undo: Undo[]): Promise<WorldParts> {
  const folder = mkdtempSync(join(tmpdir(), 'data-drill-'));
  undo.push(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  const disks: SmallDisk[] = [];
  const place = (name: string): string => {
    const path = join(folder, name);
    mkdirSync(path);
    if (diskMiB === undefined) return path;
    const disk = SmallDisk.mount(name, path, diskMiB);
    undo.push(() => disk.unmount());
    disks.push(disk);
    return path;
  };
  const makeStore = async (at: string, bucket: string): Promise<Versitygw> => {
    const made = await Versitygw.start(programs.versitygw, at);
    undo.push(() => made.stop());
    await made.makeBucket(bucket);
    return made;
  };
  const lease = await makeStore(folder, LEASE_BUCKET);
  const store = await makeStore(place('store'), SNAPSHOT_BUCKET);
  const engine = new FakeEngine();
  const enginePort = await engine.listen();
  undo.push(() => engine.close());
  const stores = {
    lease: { endpoint: lease.endpoint, bucket: LEASE_BUCKET },
    snapshots: { endpoint: store.endpoint, bucket: SNAPSHOT_BUCKET },
  };
  const ports = { uk: await freePort(), eu: await freePort() };
  const makeSite = async (name: SiteName): Promise<DrillSite> => {
    const site = new DrillSite({ name, folder: place(name), programs, enginePort, stores, ports });
    undo.push(() => site.dispose());
    await site.start();
    return site;
  };
  return { sites: await Promise.all([makeSite('uk'), makeSite('eu')]), store, disks };
}

/** In the reverse order, all of it, whatever fails on the way. */
export async function endAll(undo: readonly Undo[]): Promise<void> {
  const errors: unknown[] = [];
  for (const end of [...undo].reverse()) {
    try {
      await end();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0)
    throw new AggregateError(errors, `could not be ended: ${errors.map(String).join('; ')}`);
}
