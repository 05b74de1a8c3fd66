/** The ground that is measured on: a site, a standby and a witness, each in a network of its own, as in the lab. */
import { address, namespace, namesFor, serverOf, type Names, type ServerPlace } from '../../lab/names';
import { ensureServerNetwork, ensureWan, ownNamespaces, removeNetwork } from '../../lab/network';
import { killAll, processesIn } from '../../lab/processes';
import { REPOSITORY } from '../../tools/cache';
import { run } from '../../tools/run';

const PLACES = ['uk', 'eu', 'witness'] as const;
/** What one end of a site's cable has sent and received since it was there. */
export interface Traffic {
  readonly sent: number;
  readonly received: number;
}

export class BenchNetwork {
  private constructor(private readonly names: Names) {}

  /** Beside this checkout's lab, which may be up. */
  static async up(): Promise<BenchNetwork> {
    const network = new BenchNetwork(namesFor(`${REPOSITORY}/bench`));
    await network.down(); // what an interruption left
    await ensureWan(network.names);
    for (const place of PLACES) await ensureServerNetwork(network.names, serverOf(place, 1));
    return network;
  }

  async down(): Promise<void> {
    await killAll(await processesIn(await ownNamespaces(this.names)));
    await removeNetwork(this.names);
  }

  address(place: ServerPlace): string {
    return address(this.names, place, 1);
  }

  /** Words after `ip` that run a program in a place. */
  inside(place: ServerPlace): string[] {
    return ['netns', 'exec', namespace(this.names, `${place}-1`)];
  }

  /** Bounds what the two sites send and receive, each way; null takes the bound away. The witness has no bound of its own. */
  async cap(mbitPerSecond: number | null): Promise<void> {
    for (const place of ['uk', 'eu'] as const) {
      await this.shape(namespace(this.names, `${place}-1`), 'eth0', mbitPerSecond);
      await this.shape(namespace(this.names, 'wan'), `p-${place}-1`, mbitPerSecond);
    }
  }

  private async shape(netns: string, device: string, mbitPerSecond: number | null): Promise<void> {
    const tc = ['netns', 'exec', netns, 'tc', 'qdisc'];
    if (mbitPerSecond === null) {
      const present = await run('ip', [...tc, 'show', 'dev', device]);
      if (present.includes('qdisc tbf')) await run('ip', [...tc, 'delete', 'dev', device, 'root']);
      return;
    }
    const bucket = ['rate', `${mbitPerSecond}mbit`, 'burst', '256kb', 'latency', '100ms'];
    await run('ip', [...tc, 'replace', 'dev', device, 'root', 'tbf', ...bucket]);
  }

  /** By the kernel's own counters of the cable, headers included. */
  async traffic(place: ServerPlace): Promise<Traffic> {
    const netns = namespace(this.names, `${place}-1`);
    return parseTraffic(await run('ip', ['-n', netns, '-json', '-stats', 'link', 'show', 'dev', 'eth0']));
  }
}

/** Exported for tests. */
export function parseTraffic(json: string): Traffic {
  const [link] = JSON.parse(json) as { stats64?: { rx: { bytes: number }; tx: { bytes: number } } }[];
  if (link?.stats64 === undefined) throw new Error(`ip told no counters: ${json.slice(0, 200)}`);
  return { sent: link.stats64.tx.bytes, received: link.stats64.rx.bytes };
}
