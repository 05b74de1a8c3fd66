/** Two sites, a lease and a store, with a client that writes all the while: what every case of the data drill happens to. */
import { existsSync, readFileSync } from 'node:fs';
import type { Versitygw } from '../../../lease/testing/versitygw';
import type { Answer } from './ask';
import type { DrillSite } from './drill-site';
import type { SiteName } from './drill-spec';
import { insist } from './insist';
import type { SmallDisk } from './small-disk';
import {
  SNAPSHOT_BUCKET,
  buildParts,
  endAll,
  type Undo,
  type WorldOptions,
  type WorldParts,
} from './world-parts';
import { WRITTEN, Writer } from './writer';
import { VECTOR_SIZE, WriteRecord, contentOf, type Difference } from './write-record';

const SEED_SECONDS = 60;

export class DrillWorld {
  readonly record = new WriteRecord();
  readonly writer: Writer;
  readonly sites: Readonly<Record<SiteName, DrillSite>>;
  /** Before every publish that was asked for, the mark of what it has to hold; by the publish's id. */
  private readonly marks = new Map<string, number>();
  readonly store: Versitygw;
  private readonly disks: readonly SmallDisk[];

  private constructor(
    { sites, store, disks }: WorldParts,
    /** What was begun, in order; ended in the reverse. */
    private readonly undo: readonly Undo[],
  ) {
    this.sites = { uk: sites[0], eu: sites[1] };
    this.store = store;
    this.disks = disks;
    this.writer = new Writer(
      this.record,
      async (site, path, body) => {
        const method = path.includes('/delete') ? 'POST' : 'PUT';
        return (await sites[site]?.write(method, path, body))?.code === 'ok';
      },
      sites.length,
    );
  }

  static async start(options: WorldOptions): Promise<DrillWorld> {
    const undo: Undo[] = [];
    try {
      const world = new DrillWorld(await buildParts(options, undo), undo);
      undo.push(() => world.writer.pause());
      await world.seed();
      return world;
    } catch (error) {
      await endAll(undo);
      throw error;
    }
  }

  dispose(): Promise<void> {
    return endAll(this.undo);
  }

  /** Where an object of the publishes lies on the store's disk. */
  storePath(key = ''): string {
    return this.store.pathOf(SNAPSHOT_BUCKET, key);
  }

  /** The site that takes writes; waits until there is one. */
  async holder(): Promise<DrillSite> {
    let found = this.sites.uk;
    await insist('one site takes writes', async () => {
      for (const site of Object.values(this.sites)) {
        if ((await site.status())?.writable !== true) continue;
        found = site;
        return null;
      }
      return 'none does';
    });
    return found;
  }

  other(site: DrillSite): DrillSite {
    return site.name === 'uk' ? this.sites.eu : this.sites.uk;
  }

  /** Creates a collection through the holder's gateway. */
  async create(name: string, shards = 1, distance: 'Dot' | 'Euclid' = 'Dot'): Promise<void> {
    const vectors = { size: VECTOR_SIZE, distance };
    const body = { vectors, shard_number: shards, wal_config: { wal_capacity_mb: 1 } };
    await this.mustWrite('PUT', `/collections/${name}`, body);
    this.record.create(name);
  }

  async drop(name: string): Promise<void> {
    await this.mustWrite('DELETE', `/collections/${name}`);
    this.record.drop(name);
  }

  /** Points with ids from 1; for collections that the writer leaves alone. */
  async fill(collection: string, count: number, version = 0): Promise<void> {
    const writes = Array.from({ length: count }, (_, index) => ({ collection, id: index + 1, version }));
    const acknowledge = this.record.attempt(writes);
    const points = writes.map(({ id }) => ({ id, ...contentOf(id, version) }));
    await this.mustWrite('PUT', `/collections/${collection}/points?wait=true`, { points });
    acknowledge();
  }

  disk(name: string): SmallDisk {
    const disk = this.disks.find((one) => one.name === name);
    if (disk === undefined) throw new Error(`${name} has no disk of its own in this world`);
    return disk;
  }

  mustWrite(method: 'PUT' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<void> {
    return insist(`${method} ${path} is acknowledged`, async () => {
      const answer = await (await this.holder()).write(method, path, body);
      return answer.code === 'ok' ? null : said(answer);
    });
  }

  /** Asks for a publish, and remembers what it has to hold: also when nobody lived to answer. */
  async publish(site: DrillSite): Promise<Answer> {
    const mark = this.record.mark();
    const before = this.latestId();
    const answer = await site.publish();
    const id = answer.code === 'ok' ? String(answer.body['id']) : this.latestId();
    if (id !== null && id !== before) this.marks.set(id, mark);
    return answer;
  }

  /** The publish that the pointer names, as it lies on the store's disk; null when it names none. */
  latestId(): string | null {
    const path = this.storePath('latest');
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    return /"publishId":"([^"]+)"/.exec(text)?.[1] ?? null;
  }

  /** Overwrites the pointer, as somebody with the store's keys could. */
  putPointer(pointer: { publishId: string; site: string; epoch: number }): Promise<void> {
    return this.store.put(SNAPSHOT_BUCKET, 'latest', JSON.stringify(pointer));
  }

  /** Publishes until it is done; what an agent does by itself may be under way. */
  async published(site: DrillSite): Promise<string> {
    let id = '';
    await insist(`${site.name} has published`, async () => {
      const answer = await this.publish(site);
      if (answer.code !== 'ok') return said(answer);
      id = String(answer.body['id']);
      return null;
    });
    return id;
  }

  /** Applies, as the timer would, until the publish is there and the site could take over. */
  applied(site: DrillSite, publishId: string): Promise<void> {
    return insist(`${site.name} has applied ${publishId} and could take over`, async () => {
      const status = await site.status();
      if (status?.applied?.id !== publishId) return said(await site.apply());
      const { promotable, reasons } = status.promotable;
      return promotable ? null : reasons.map(({ code }) => code).join(', ');
    });
  }

  /** Both sites have everything that was acknowledged when this began; a fenced site is re-protected for it. */
  async replicate(): Promise<{
    readonly holder: DrillSite;
    readonly standby: DrillSite;
    readonly mark: number;
  }> {
    const holder = await this.holder();
    const standby = this.other(holder);
    if (await this.isFenced(standby)) await this.reprotected(standby);
    const mark = this.record.mark();
    const id = await this.published(holder);
    await this.applied(standby, id);
    return { holder, standby, mark };
  }

  /** Whether the site has to be re-protected before it may take the holder's data again. */
  async isFenced(site: DrillSite): Promise<boolean> {
    let state: string | undefined;
    await insist(`${site.name} knows its state`, async () => {
      state = (await site.status())?.state;
      const isKnown = state !== undefined && state !== 'unknown' && state !== 'unprotected';
      return isKnown ? null : (state ?? 'no answer');
    });
    return state === 'fenced' || state === 're-protecting';
  }

  reprotected(site: DrillSite): Promise<void> {
    return insist(`${site.name} is re-protected`, async () =>
      (await site.status())?.state === 'standby' ? null : said(await site.reprotect()),
    );
  }

  /**
   * The holder is lost and the standby takes over with what it has, which is the service's data from then on. Answers what
   * of its applied publish was not there.
   *
   * @param how `lose` makes the holder vanish, by SIGKILL if absent; `meanwhile` comes before the standby is told to take
   *   over for good
   */
  async failOver(
    from: DrillSite,
    how: {
      readonly lose?: () => void | Promise<void>;
      readonly meanwhile?: (to: DrillSite) => Promise<void>;
    } = {},
  ): Promise<{ readonly to: DrillSite; readonly missing: Difference }> {
    const to = this.other(from);
    await this.writer.pause();
    await (how.lose ?? (() => from.agent.down()))();
    const publishId = to.ledger()?.applied?.id;
    await how.meanwhile?.(to);
    await this.promoted(to);
    const observed = await to.observe();
    const missing = this.record.compare(observed, this.markOf(publishId));
    this.record.rebase(observed);
    this.writer.start();
    return { to, missing };
  }

  promoted(site: DrillSite): Promise<void> {
    return insist(`${site.name} is promoted`, async () =>
      (await site.status())?.writable === true ? null : said(await site.promote()),
    );
  }

  /** A planned switch, asked for until it is done. */
  switched(from: DrillSite): Promise<void> {
    const to = this.other(from);
    return insist(`${from.name} has handed over`, async () => {
      if ((await to.status())?.writable === true) return null;
      const answer = await from.switchOver();
      return answer.code === 'ok' ? null : said(answer);
    });
  }

  /** What was acknowledged until now, by any site, and the site's Qdrant has not; writes pause, for it may be the holder's. */
  async missingOfAll(site: DrillSite): Promise<Difference> {
    await this.writer.pause();
    const missing = this.record.compare(await site.observe(), this.record.mark());
    this.writer.start();
    return missing;
  }

  /** What the publish that the site has applied must hold and the site's Qdrant has not. */
  async missing(site: DrillSite): Promise<Difference> {
    return this.record.compare(await site.observe(), this.markOf(site.ledger()?.applied?.id));
  }

  /** Of a publish that an agent made by itself only the newest mark before it is known. */
  private markOf(publishId: string | undefined): number {
    if (publishId === undefined) return 0;
    const known = this.marks.get(publishId);
    if (known !== undefined) return known;
    const older = [...this.marks].filter(([id]) => id < publishId).map(([, mark]) => mark);
    return Math.max(0, ...older);
  }

  private async seed(): Promise<void> {
    await this.create('docs', 2);
    await this.create('notes');
    const alias = { create_alias: { collection_name: 'docs', alias_name: 'current' } };
    await this.mustWrite('POST', '/collections/aliases', { actions: [alias] });
    const index = { field_name: 'n', field_schema: 'integer' };
    for (const name of WRITTEN) await this.mustWrite('PUT', `/collections/${name}/index?wait=true`, index);
    this.writer.start();
    await this.writer.more(40, SEED_SECONDS);
    await this.replicate();
  }
}

function said({ code, message }: Answer): string {
  return `${code} ${message}`;
}
