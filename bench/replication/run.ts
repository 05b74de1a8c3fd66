/** The whole comparison: every method copies the same data over the same link, in the same phases, one after the other. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { progress } from '../../tools/cache';
import { changedIds } from './data';
import type { Measured, Phase } from './judge';
import { METHOD_TITLES, STEPS, type MethodInput, type MethodName } from './methods/method';
import type { BenchNetwork } from './network';
import type { ReadsTold } from './reads';
import { optimizeStandIn, Server } from './servers';
import { STORE } from './settings';
import { runStep } from './step';

export interface Link {
  readonly title: string;
  readonly mbitPerSecond: number | null;
}

export interface Plan {
  readonly points: number;
  readonly methods: readonly MethodName[];
  readonly links: readonly Link[];
  readonly folder: string;
  /** The bundled worker. */
  readonly worker: string;
  readonly restic: string;
}

const SOURCE_PORT = 6333;
const FIRST_STANDBY_PORT = 6340;

export async function runComparison(network: BenchNetwork, plan: Plan): Promise<Measured[]> {
  const store = await Server.store(network, path.join(plan.folder, 'store'));
  const source = await loadedSource(network, plan);
  const comparison = new Comparison(network, plan, store, source);
  const measured: Measured[] = [];
  for (const link of plan.links) measured.push(...(await comparison.over(link)));
  return measured;
}

/** With all its points, and its indexes built. */
async function loadedSource(network: BenchNetwork, plan: Plan): Promise<Server> {
  const folder = path.join(plan.folder, 'source');
  const loading = await Server.qdrant(network, 'uk', SOURCE_PORT, folder);
  progress(`writing ${plan.points} points`);
  const input = { port: SOURCE_PORT, points: plan.points };
  await runStep(network, 'uk', [plan.worker, 'data', 'create'], input);
  await loading.stop();
  progress('building indexes');
  await optimizeStandIn(folder);
  return Server.qdrant(network, 'uk', SOURCE_PORT, folder);
}

class Comparison {
  /** Of points that were changed, by the version that they have now. */
  private readonly versions = new Map<number, number>();
  private round = 0;

  constructor(
    private readonly network: BenchNetwork,
    private readonly plan: Plan,
    private readonly store: Server,
    private readonly source: Server,
  ) {}

  async over(link: Link): Promise<Measured[]> {
    await this.network.cap(link.mbitPerSecond);
    const standbys = await this.startStandbys(link);
    const measured: Measured[] = [];
    for (const phase of ['first', 'changed', 'idle'] as const) {
      if (phase === 'changed') await this.change();
      for (const [method, standby] of standbys)
        measured.push(await this.measure(link, phase, method, standby));
    }
    for (const standby of standbys.values()) await standby.stop();
    await this.network.cap(null);
    return measured;
  }

  /** One for each method, so that each goes on from what it has copied before. */
  private async startStandbys(link: Link): Promise<Map<MethodName, Server>> {
    const standbys = new Map<MethodName, Server>();
    for (const [index, method] of this.plan.methods.entries()) {
      const folder = path.join(this.plan.folder, link.title, method);
      for (const place of ['uk', 'eu']) await mkdir(path.join(folder, place), { recursive: true });
      await this.store.makeBucket(this.bucket(link, method));
      const port = FIRST_STANDBY_PORT + index;
      standbys.set(method, await Server.qdrant(this.network, 'eu', port, path.join(folder, 'standby')));
    }
    return standbys;
  }

  private async change(): Promise<void> {
    this.round += 1;
    const ids = changedIds(this.plan.points, this.round);
    progress(`changing ${ids.length} points, spread over all ids`);
    for (const id of ids) this.versions.set(id, this.round);
    await this.work('data change', 'uk', { port: SOURCE_PORT, points: this.plan.points, round: this.round });
  }

  private async measure(link: Link, phase: Phase, method: MethodName, standby: Server): Promise<Measured> {
    const before = await this.bytes();
    const reads = phase === 'first' ? null : await this.startReads(standby);
    let seconds = 0;
    let peakBytes = 0;
    const parts: string[] = [];
    for (const { step, place } of STEPS[method]) {
      const told = await runStep(
        this.network,
        place,
        [this.plan.worker, method, step],
        this.inputFor(link, method, place, standby),
      );
      seconds += told.seconds;
      peakBytes = Math.max(peakBytes, told.peakBytes);
      parts.push(`${step} ${told.seconds.toFixed(1)} s, ${Math.round(told.peakBytes / 2 ** 20)} MiB`);
    }
    const unreadable = reads === null ? 0 : (await reads()).unreadableSeconds;
    const after = await this.bytes();
    await this.check(method, standby);
    progress(`${link.title}, ${phase}, ${METHOD_TITLES[method]}: ${parts.join('; ')}`);
    return {
      ...{ link: link.title, capped: link.mbitPerSecond !== null, phase, method, seconds, peakBytes },
      primaryBytes: after.uk - before.uk,
      standbyBytes: after.eu - before.eu,
      unreadableSeconds: unreadable,
    };
  }

  private inputFor(link: Link, method: MethodName, place: 'uk' | 'eu', standby: Server): MethodInput {
    const here = place === 'uk' ? this.source : standby;
    const there = place === 'uk' ? standby : this.source;
    return {
      port: here.port,
      folder: here.folder,
      peer: `http://${this.network.address(there.place)}:${there.port}`,
      endpoint: `http://${this.network.address('witness')}:${STORE.port}`,
      bucket: this.bucket(link, method),
      state: path.join(this.plan.folder, link.title, method, place),
      restic: this.plan.restic,
    };
  }

  private bucket(link: Link, method: MethodName): string {
    return `bench-${method}-${this.plan.links.indexOf(link)}`;
  }

  private async bytes(): Promise<{ uk: number; eu: number }> {
    const total = async (place: 'uk' | 'eu'): Promise<number> => {
      const { sent, received } = await this.network.traffic(place);
      return sent + received;
    };
    return { uk: await total('uk'), eu: await total('eu') };
  }

  /** A copy that is fast and wrong is none. */
  private async check(method: MethodName, standby: Server): Promise<void> {
    await this.work('data check', 'eu', {
      port: standby.port,
      points: this.plan.points,
      versions: [...this.versions],
      what: METHOD_TITLES[method],
    });
  }

  private async work(words: string, place: 'uk' | 'eu', input: object): Promise<void> {
    await runStep(this.network, place, [this.plan.worker, ...words.split(' ')], input);
  }

  /** From now on; what it answers ends it and tells what was seen. */
  private async startReads(standby: Server): Promise<() => Promise<ReadsTold>> {
    const words = [...this.network.inside('eu'), process.execPath, this.plan.worker, 'reads', 'watch'];
    const child = spawn('ip', words, { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    child.stdin.write(`${JSON.stringify({ port: standby.port })}\n`);
    await lines.next();
    return async () => {
      child.stdin.end();
      const { value } = (await lines.next()) as { value: string | undefined };
      if (value === undefined) throw new Error('the reader of the standby ended without a word');
      return JSON.parse(value) as ReadsTold;
    };
  }
}
