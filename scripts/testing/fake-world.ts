/** Two sites, a nameserver and a lease in this process, with a failover that takes exactly as long as it is told. */
import { setTimeout as delay } from 'node:timers/promises';
import type { LookupFunction } from 'node:net';
import type { LeaseHistoryEntry, PublishInfo } from '../../infra/contract/agent-api';
import type { OperatorContext } from '../cli/context';
import type { LeaseReader, LeaseView } from '../cli/lease-store';
import type { FaultPort } from '../drill/fault';
import { throwAwayCertificate } from './certificate';
import { FakeDns } from './fake-dns';
import { divergedCommand, setAside, type DivergedInput } from './fake-diverged';
import { FakeSite, copyData, type Data } from './fake-site';

export interface WorldTimings {
  /** From the loss of the holder to the standby's claim. */
  readonly detectMs: number;
  /** From a claim to DNS answering it. */
  readonly dnsMs: number;
}

export class FakeWorld implements FaultPort {
  readonly tls = throwAwayCertificate(['api.failover.test', 'uk.failover.test', 'eu.failover.test']);
  readonly dns = new FakeDns();
  readonly uk = new FakeSite('uk-primary', 'uk.failover.test', '127.0.0.1', this);
  readonly eu = new FakeSite('eu-standby', 'eu.failover.test', '127.0.0.2', this);
  readonly lease: { epoch: number; holder: string } = { epoch: 1, holder: 'uk-primary' };
  readonly entries: LeaseHistoryEntry[] = [];
  readonly faults: string[] = [];
  /** Ids that the next re-protection or planned switch loses on its way. */
  loseOnSwitch: number[] = [];
  /** Points that a merge says it has applied, and has not. */
  mergeLoses = 0;
  /** A promotion is refused until the lost holder has been gone for this long; null: always. */
  manualAfterMs: number | null = null;
  /** The other site takes over where it must not. */
  partitionSwitches = false;
  private lostAt = 0;
  private published: { info: PublishInfo; data: Data } | null = null;
  private readonly pending = new AbortController();
  private port = 0;
  private dnsPort = 0;
  private publishes = 0;

  constructor(private readonly timings: WorldTimings = { detectMs: 600, dnsMs: 200 }) {
    this.uk.state = 'active';
    this.entries.push(this.entry('bootstrap', null, 'uk-primary'));
  }

  async start(): Promise<void> {
    for (;;) {
      this.port = await this.uk.start(0);
      try {
        await this.eu.start(this.port);
        break;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
        await this.uk.stop();
      }
    }
    this.dnsPort = await this.dns.start();
    this.dns.addresses = [this.uk.address];
    this.copyToPeer(this.uk, this.eu);
  }

  async stop(): Promise<void> {
    this.pending.abort();
    await Promise.all([this.uk.stop(), this.eu.stop(), this.dns.stop()]);
  }

  context(): OperatorContext {
    const site = (each: FakeSite): OperatorContext['sites'][number] => ({
      site: each.name,
      host: each.host,
      port: this.port,
      addresses: [each.address],
      servers: [`${each.name}-1`],
    });
    const stages = [{ stage: 'lease', seconds: 1 }];
    return {
      version: 1,
      savedAt: new Date(0).toISOString(),
      service: { host: 'api.failover.test', port: this.port, dnsTtlSeconds: 1 },
      primary: 'uk-primary',
      sites: [site(this.uk), site(this.eu)],
      nameservers: [{ address: '127.0.0.1', port: this.dnsPort }],
      store: {
        endpoint: 'https://witness.failover.test',
        region: 'x',
        leaseBucket: 'b',
        addresses: [],
        account: { accessKey: 'a', secretKey: 's' },
      },
      caCertificate: this.tls.certificate,
      clientKey: 'client-key',
      operatorKey: 'operator-key',
      modelName: 'tiny',
      switchingMode: 'automatic',
      budget: {
        rto: {
          predictedSeconds: 5,
          objectiveSeconds: 10,
          regionLoss: { stages, totalSeconds: 5 },
          sickHolder: { stages, totalSeconds: 5 },
        },
        rpo: { predictedSeconds: 10, objectiveSeconds: 60, stages: [] },
      },
    };
  }

  /** What the system's resolver would say. */
  readonly lookup: LookupFunction = (_name, options, callback) => {
    const address = this.dns.addresses[0] ?? '127.0.0.1';
    if (options.all === true) callback(null, [{ address, family: 4 }]);
    else callback(null, address, 4);
  };

  readonly leases: LeaseReader = {
    lease: () => Promise.resolve<LeaseView>({ ...this.lease }),
    history: () => Promise.resolve([...this.entries]),
  };

  reader(site: FakeSite): FakeSite {
    // A site that does not hold the lease, or whose engine hangs, passes reads on to its peer.
    const peer = site === this.uk ? this.eu : this.uk;
    return site.holds || !peer.up ? site : peer;
  }

  // FaultPort: `kill uk`, `revive uk`, `stop-process …`, `cont-process …`
  async run(words: readonly string[]): Promise<void> {
    this.faults.push(words.join(' '));
    const [verb = '', what = ''] = words;
    const site = what.startsWith('uk') ? this.uk : this.eu;
    const peer = site === this.uk ? this.eu : this.uk;
    switch (verb) {
      case 'kill':
        await site.stop();
        this.lostAt = Date.now();
        void this.later(this.timings.detectMs, () => {
          peer.event('lease-expired-seen');
          peer.event('claim-decided');
          this.handOver(site, peer, 'expired');
          site.state = 'fenced';
        });
        return;
      case 'revive':
        if (!site.up) await site.start(this.port);
        return;
      case 'stop-process':
        site.hung = true;
        void this.later(this.timings.detectMs, () => {
          site.event('canary-failing');
          site.event('handover-decided');
          this.copyToPeer(site, peer);
          this.handOver(site, peer, 'handover-sick');
          site.state = 'standby';
        });
        return;
      case 'cont-process':
        site.hung = false;
        return;
      case 'partition':
        if (this.partitionSwitches) this.handOver(this.uk, this.eu, 'expired');
        return;
      case 'heal':
        return;
      default:
        throw new Error(`the fake world knows no fault ${words.join(' ')}`);
    }
  }

  /** POST /failover/<what> at a site. */
  async command(site: FakeSite, what: string, body: unknown): Promise<[number, unknown]> {
    const peer = site === this.uk ? this.eu : this.uk;
    switch (what) {
      case 'publish': {
        if (!site.holds) return [409, { skipped: { code: 'not-holder', message: 'not the holder' } }];
        this.publishes += 1;
        const id = `${String(this.lease.epoch).padStart(10, '0')}-${String(this.publishes).padStart(6, '0')}`;
        const info = { id, site: site.name, epoch: this.lease.epoch, points: 1, bytes: 1 };
        this.published = { info, data: copyData(site.data) };
        return [200, info];
      }
      case 'apply':
        if (this.published === null || site.holds) {
          return [409, { skipped: { code: 'nothing-to-apply', message: 'nothing to apply' } }];
        }
        site.data = copyData(this.published.data);
        site.applied = this.published.info;
        return [200, site.applied];
      case 'reprotect':
        if (site.state !== 'fenced' && site.state !== 're-protecting')
          return [409, { error: { code: 'not-fenced', message: `it is ${site.state}` } }];
        site.state = 're-protecting';
        await delay(50);
        setAside(site, peer, this.lease.epoch);
        this.copyToPeer(peer, site);
        site.state = 'standby';
        return [200, site.applied];
      case 'drilled':
        site.drills.push(body);
        return [200, {}];
      case 'veto':
        site.vetoes.push(body);
        return [200, { mode: 'veto' }];
      case 'diverged':
      case 'diverged/page':
      case 'diverged/merged':
      case 'merge':
        return divergedCommand(site, what, body as DivergedInput, this);
      case 'promote':
        if (peer.up || this.manualAfterMs === null || Date.now() - this.lostAt < this.manualAfterMs) {
          return [409, { error: { code: 'HOLDER_ALIVE', message: `${peer.name} may still hold the lease` } }];
        }
        this.handOver(peer, site, 'promoted');
        peer.state = 'fenced';
        return [200, { ...this.lease }];
      case 'switch':
        if (!site.holds)
          return [409, { error: { code: 'not-holder', message: `${peer.name} holds the lease` } }];
        if (!peer.up || peer.state !== 'standby') {
          return [409, { error: { code: 'peer-not-promotable', message: `${peer.name} is ${peer.state}` } }];
        }
        site.event('switch-step', 'writes held');
        this.copyToPeer(site, peer);
        this.handOver(site, peer, 'handover-planned');
        site.state = 'standby';
        site.applied = peer.applied; // it has the same data
        return [200, { ...this.lease }];
      default:
        return [404, { error: { code: 'unknown-path', message: what } }];
    }
  }

  handOver(from: FakeSite, to: FakeSite, cause: LeaseHistoryEntry['cause']): void {
    from.staleEpoch = this.lease.epoch;
    this.lease.epoch += 1;
    this.lease.holder = to.name;
    this.entries.push(this.entry(cause, from.name, to.name));
    to.state = 'active';
    to.event('claimed');
    to.event('ready');
    void this.later(this.timings.dnsMs, () => {
      this.dns.addresses = [to.address];
      from.closeConnections();
    });
  }

  /** Until DNS names the site: by then the other's connections have ended, which a request would not outlive. */
  async followed(to: FakeSite): Promise<void> {
    while (!this.dns.addresses.includes(to.address)) await new Promise((wait) => setTimeout(wait, 10));
  }

  copyToPeer(from: FakeSite, to: FakeSite): void {
    to.data = copyData(from.data);
    for (const collection of to.data.values())
      for (const id of this.loseOnSwitch) collection.points.delete(id);
    to.applied = {
      id: `${String(this.lease.epoch).padStart(10, '0')}-000000`,
      site: from.name,
      epoch: this.lease.epoch,
      points: 1,
      bytes: 1,
    };
  }

  private entry(
    cause: LeaseHistoryEntry['cause'],
    previousHolder: string | null,
    holder: string,
  ): LeaseHistoryEntry {
    return {
      epoch: this.lease.epoch,
      holder,
      previousHolder,
      at: new Date().toISOString(),
      cause,
      by: 'test',
      reason: 'test',
      dataAgeSeconds: 0,
      acceptedDataLoss: null,
    };
  }

  private async later(ms: number, action: () => void): Promise<void> {
    try {
      await delay(ms, undefined, { signal: this.pending.signal });
    } catch (error) {
      if ((error as Error).name === 'AbortError') return; // the test is over
      throw error;
    }
    action();
  }
}
