/** Two sites, a witness and a network in one deterministic timeline, watched all the time. */
import type { Lease } from '../../../infra/contract/agent-api';
import type { LeaseConfig } from '../model';
import { lineageReason } from '../lineage';
import { MemoryLeaseStore } from '../memory-store';
import type { PersistedState } from '../ports';
import { reprotectRefusal } from '../requests';
import { Agenda } from './agenda';
import { FaultyStore } from './faulty-store';
import { Acknowledgements, broken, checkLeaseChange } from './invariants';
import type { Mutation } from './mutation';
import { Network } from './network';
import { HEAL_AT_MS, TTL_MS, type Fault, type Plan, type SiteName } from './plan';
import { Random } from './random';
import { SimulatedSite } from './site';

/** A claim or hand-over as it was when it was decided. */
interface Decided {
  readonly at: number;
  readonly cause: string;
  readonly accepted: boolean;
  readonly promotable: boolean;
  readonly tainted: number | null;
}

export class World {
  readonly agenda = new Agenda();
  readonly random: Random;
  readonly network: Network;
  readonly store = new MemoryLeaseStore();
  readonly faulty: FaultyStore;
  readonly acknowledgements = new Acknowledgements();
  /** When a site last told its peer that it could take over. */
  readonly lastPromotable = new Map<SiteName, number>();
  readonly log: string[] = [];
  /** Changes of holder, for coverage. */
  readonly changes: string[] = [];
  private readonly sites: Readonly<Record<SiteName, SimulatedSite>>;
  private readonly decisions = new Map<string, Decided>();
  private readonly tainted: Record<SiteName, number | null> = { a: null, b: null };
  /** Since when each site has told what it means to do; a restart forgets it. */
  readonly proposedAt = new Map<SiteName, number>();
  /** Shortest time that a veto on a site's disk can last. */
  private readonly vetoedUntil: Record<SiteName, number> = { a: -Infinity, b: -Infinity };
  private lastChangeAt = -Infinity;
  private lastWritableAt = -Infinity;
  private requests = 0;

  constructor(
    readonly plan: Plan,
    private readonly mutation: Mutation,
    private readonly keepLog = false,
  ) {
    this.random = new Random(plan.seed);
    this.network = new Network(this.agenda, this.random, 2.5 * TTL_MS);
    this.faulty = new FaultyStore(this.store, this.agenda, this.random, (lease, ifMatch) =>
      this.storeWrite(lease, ifMatch),
    );
    this.sites = { a: this.makeSite('a', plan.clocks[0]), b: this.makeSite('b', plan.clocks[1]) };
  }

  site(name: SiteName): SimulatedSite {
    return this.sites[name];
  }

  run(): void {
    const { agenda, plan } = this;
    this.sites.a.start();
    agenda.after(this.random.between(0, 500), () => this.sites.b.start());
    for (const fault of plan.faults) agenda.at(fault.at, () => this.strike(fault));
    this.write(0);
    agenda.at(HEAL_AT_MS, () => this.heal());
    const end = HEAL_AT_MS + 5000 + 4 * TTL_MS + plan.cooldownMs + this.silenceMs();
    agenda.runUntil(end, () => this.watch());
    this.checkService();
  }

  private storeWrite(lease: Lease, ifMatch: string): { etag: string } | 'conflict' {
    const found = this.store.readNow();
    const before = found === 'absent' ? null : found.lease;
    const condition = this.mutation.storeIgnoresEtags === true && found !== 'absent' ? found.etag : ifMatch;
    const result = this.store.writeNow(lease, condition);
    if (result === 'conflict') return result;
    const accepted = this.decisions.get(lease.nonce)?.accepted === true;
    checkLeaseChange(before, lease, accepted, this.agenda.now);
    if (before?.holder !== lease.holder) this.holderChanged(before, lease);
    return result;
  }

  /** Notes under what circumstances a change of holder is decided; it may be sent, or happen, much later. */
  decided(site: SimulatedSite, lease: Lease): void {
    if (this.decisions.has(lease.nonce)) return;
    const pending = site.state.persisted.pendingClaim;
    const swap = site.state.handover?.swap;
    const entry = [pending, swap].find((intent) => intent?.lease.nonce === lease.nonce)?.entry;
    if (entry === undefined) return;
    this.note(`${site.name} decides epoch ${lease.epoch} for ${lease.holder}: ${entry.cause}`);
    this.decisions.set(lease.nonce, {
      at: this.agenda.now,
      cause: entry.cause,
      accepted: entry.acceptedDataLoss !== null,
      promotable: site.promotable(),
      tainted: this.tainted[site.name],
    });
    if (entry.cause !== 'expired' && entry.cause !== 'handover-sick') return;
    this.checkCooldown(site);
    this.checkSilence(site);
  }

  persisted(site: SimulatedSite, value: PersistedState): void {
    this.noteVeto(site, value);
    const held = this.tainted[site.name];
    if (held === null) return;
    const clean = value.cleanHandoverEpoch === held;
    if (clean && value.lastHeldEpoch === held) this.checkNothingLost(site.peer, held);
    const reprotected = !value.reprotecting && (value.reprotectedEpoch ?? 0) > held;
    if (clean || reprotected) this.tainted[site.name] = null;
  }

  private noteVeto(site: SimulatedSite, { veto }: PersistedState): void {
    if (veto === null) return;
    const until = Date.parse(veto.at) + veto.forSeconds * 1000 * (1 - this.plan.drift);
    this.vetoedUntil[site.name] = Math.max(this.vetoedUntil[site.name], until);
  }

  acknowledged(id: number, epoch: number, site: SiteName): void {
    this.acknowledgements.add(id, epoch, site, this.agenda.now);
  }

  told(site: SimulatedSite, kind: string, detail: string): void {
    if (kind === 'switch-proposed') this.proposedAt.set(site.name, this.agenda.now);
    if (/^proposed .* withdrawn/.test(detail)) this.proposedAt.delete(site.name);
    this.note(`${site.name} ${kind} ${detail}`);
  }

  private makeSite(name: SiteName, clock: number): SimulatedSite {
    const { plan, mutation } = this;
    const config: LeaseConfig = {
      site: name,
      peer: name === 'a' ? 'b' : 'a',
      initialHolder: name === 'a',
      ttlMs: TTL_MS,
      marginMs: plan.marginMs,
      drift: plan.drift,
      mode: plan.mode,
      graceMs: plan.graceMs,
      cooldownMs: plan.cooldownMs,
      maxSwitchesPerHour: 100,
      handoverSyncMs: 2000,
      preSyncMs: 5000,
    };
    // Each within half the bound of true time, so that the two differ by the bound at most.
    const rate = 1 + (clock * plan.drift) / 2;
    const offset = this.random.between(0, 1e7);
    return new SimulatedSite(name, this, mutation.config?.(config) ?? config, rate, offset, mutation);
  }

  private watch(): void {
    const { a, b } = this.sites;
    const writable = [a, b].filter((site) => site.writable());
    if (writable.length > 1) broken('one writable site', `both are at ${this.agenda.now}`);
    for (const site of writable) {
      this.lastWritableAt = this.agenda.now;
      this.tainted[site.name] = site.state.hold?.epoch ?? null;
    }
  }

  private holderChanged(before: Lease | null, after: Lease): void {
    const { now } = this.agenda;
    const decision = this.decisions.get(after.nonce);
    const told = `epoch ${after.epoch} for ${after.holder} at ${now}`;
    this.note(`store: ${told}`);
    this.lastChangeAt = now;
    if (decision === undefined) return broken('every change of holder is recorded', told);
    this.changes.push(decision.cause);
    if (decision.cause === 'bootstrap') return;
    if (decision.cause.startsWith('handover')) {
      const peer = after.holder as SiteName;
      const age = decision.at - (this.lastPromotable.get(peer) ?? -Infinity);
      if (age > 2 * TTL_MS * (1 + this.plan.drift)) {
        broken('no switch to a site that is not promotable', `${told}, last promotable ${age} ms before`);
      }
      return;
    }
    if (decision.accepted) return;
    if (!decision.promotable) broken('no switch to a site that is not promotable', told);
    if (decision.tainted !== null && before !== null && decision.tainted < before.epoch) {
      broken('no failback by itself', `${told}, tainted since epoch ${decision.tainted}`);
    }
  }

  private checkCooldown(site: SimulatedSite): void {
    const { now } = this.agenda;
    if (site.startedAt >= this.lastChangeAt || this.changes.length < 2) return;
    if ((now - this.lastChangeAt) * (1 + this.plan.drift) < this.plan.cooldownMs - 1) {
      broken('cooldown', `${site.name} switches ${now - this.lastChangeAt} ms after the last switch`);
    }
  }

  /** A veto that is on disk is heeded, whatever restarts; and nobody switches without having told it in time. */
  private checkSilence(site: SimulatedSite): void {
    const { now } = this.agenda;
    const until = this.vetoedUntil[site.name];
    if (now < until) broken('a veto is heeded', `${site.name} switches ${until - now} ms before it ends`);
    if (this.plan.mode !== 'veto') return;
    const silence = (now - (this.proposedAt.get(site.name) ?? Infinity)) * (1 + this.plan.drift);
    if (silence < this.plan.graceMs - 1)
      broken('a switch is told in time', `${site.name}, ${silence} ms before`);
  }

  /** How much longer than in mode automatic it may take until somebody serves: vetoes, begun anew by a restart, and silences. */
  private silenceMs(): number {
    const vetoes = this.plan.faults.filter(({ kind }) => kind === 'veto').map(({ ms }) => ms);
    const grace = this.plan.mode === 'veto' ? 2 * this.plan.graceMs : 0;
    return grace + Math.max(0, ...vetoes) * (1 + this.plan.drift);
  }

  private checkNothingLost(receiver: SimulatedSite, epoch: number): void {
    const lost = this.acknowledgements.ids.filter((ack) => ack.epoch === epoch && !receiver.data.has(ack.id));
    if (lost.length > 0) broken('a clean hand-over loses nothing', `${lost.length} writes of epoch ${epoch}`);
  }

  private strike(fault: Fault): void {
    this.note(`fault ${JSON.stringify(fault)}`);
    switch (fault.kind) {
      case 'cut':
        return this.network.cut(fault.links, fault.ms);
      case 'slow':
        return this.network.slow(fault.links, fault.ms);
      case 'pause':
        return this.site(fault.site).pause(fault.ms);
      case 'crash':
        return this.site(fault.site).crash(fault.ms);
      case 'canary':
        this.site(fault.site).canaryFailsUntil = this.agenda.now + fault.ms;
        this.site(fault.site).recoveringUntil = this.agenda.now + fault.graceMs;
        return;
      case 'unpromotable':
        this.site(fault.site).unpromotableUntil = this.agenda.now + fault.ms;
        return;
      case 'pause-on':
      case 'crash-on':
        this.site(fault.site).traps.push({ ...fault, left: fault.nth });
        return;
      case 'store-errors':
        return this.faulty.err(fault.ms);
      case 'store-stale':
        return this.faulty.ageReads(fault.ms, fault.byMs);
      case 'store-loses':
        return this.faulty.lose(fault.ms, fault.probability);
      case 'veto':
        return this.veto(this.site(fault.site), fault.ms);
      case 'promote':
      case 'switch':
      case 'reprotect':
        return this.operate(fault);
    }
  }

  private operate(fault: Extract<Fault, { kind: 'promote' | 'switch' | 'reprotect' }>): void {
    const site = this.site(fault.site);
    const id = ++this.requests;
    const request = { by: 'operator', reason: 'drill' };
    site.inProcess(site.process, () => {
      if (fault.kind === 'promote') {
        site.feed({ type: 'promote', id, request: { ...request, acceptDataLoss: fault.accept } });
      } else if (fault.kind === 'switch') {
        site.feed({ type: 'switch', id, request });
      } else {
        this.reprotect(site);
      }
    });
  }

  private veto(site: SimulatedSite, ms: number): void {
    const request = { by: 'operator', reason: 'drill', forSeconds: ms / 1000 };
    site.inProcess(site.process, () => void site.feed({ type: 'veto', request }));
  }

  private reprotect(site: SimulatedSite): void {
    const holder = site.peer;
    if (reprotectRefusal(site.state) !== null) return;
    site.feed({ type: 'begin-reprotect' });
    const { process } = site;
    this.agenda.after(this.random.between(20, 500), () =>
      site.inProcess(process, () => {
        const epoch = holder.state.hold?.epoch;
        if (epoch === undefined || !holder.writable() || !site.disk.reprotecting || site.state.hold !== null)
          return;
        site.data = new Set(holder.data);
        site.feed({ type: 'mark-reprotected', epoch });
      }),
    );
  }

  private write(id: number): void {
    const target = this.random.chance(0.5) ? this.sites.a : this.sites.b;
    target.clientWrite(id);
    target.peer.clientWrite(id + 1);
    this.agenda.after(this.random.between(50, 350), () => this.write(id + 2));
  }

  private heal(): void {
    this.note('heal');
    this.network.heal();
    this.faulty.heal();
    for (const site of Object.values(this.sites)) {
      site.traps.length = 0;
      site.canaryFailsUntil = 0;
      site.unpromotableUntil = 0;
      if (site.name === this.plan.lost) site.crash(Infinity);
      else site.resume();
    }
  }

  /** Once all is well again somebody serves, if there is anybody who may. */
  private checkService(): void {
    if (this.agenda.now - this.lastWritableAt < 1000) return;
    const found = this.store.readNow();
    const holder = found === 'absent' ? null : (found.lease.holder as SiteName);
    const survivors = Object.values(this.sites).filter((site) => site.alive);
    const could = survivors.filter((site) => {
      if (site.name === holder) return site.state.persisted.reprotecting === false;
      if (holder === null) return site.name === 'a';
      return this.plan.mode !== 'manual' && lineageReason(site.state.persisted) === null;
    });
    if (could.length > 0) {
      const names = could.map((site) => site.name).join(' and ');
      broken('somebody serves in the end', `${names} could; the lease is ${holder ?? 'nobody'}'s`);
    }
  }

  private note(line: string): void {
    if (this.keepLog) this.log.push(`${this.agenda.now.toFixed(0).padStart(6)} ${line}`);
  }
}
