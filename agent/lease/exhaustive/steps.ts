/** What may happen next in a small world, one thing at a time; the invariants are looked at after each. */
import type { Lease } from '../../../infra/contract/agent-api';
import { initialState, step as realStep } from '../core';
import { lineageReason } from '../lineage';
import type { Action, Happening, LeaseConfig, LeaseState, PeerStatus } from '../model';
import { EMPTY_STATE, type PersistedState } from '../ports';
import { broken, checkLeaseChange } from '../simulation/invariants';
import type { Mutation } from '../simulation/mutation';
import { holdsLease, isWritable, siteState } from '../view';
import { CONFIG, linkOf, NAMES, otherName } from './world';
import type { LeaseWrite, Message, Name, SiteWorld, World } from './world';

export class Steps {
  private readonly step: typeof realStep;

  constructor(private readonly mutation: Mutation) {
    this.step = mutation.step?.(realStep) ?? realStep;
  }

  /** Both sites started, the store empty. */
  initial(budget: number): World {
    const site: SiteWorld = {
      ...{ state: null, disk: EMPTY_STATE, processes: 0, paused: false, sick: false, promotable: true },
      tainted: null,
    };
    const world: World = {
      now: 0,
      sites: { sitea: site, siteb: site },
      store: { lease: null, etag: '', before: null },
      ...{ queue: [], held: [], cut: [], acknowledged: 0, budget },
    };
    return this.start(this.start(world, 'sitea'), 'siteb');
  }

  start(world: World, name: Name): World {
    const site = world.sites[name];
    const processes = site.processes + 1;
    const disk = this.mutation.load?.(site.disk) ?? site.disk;
    const fresh = initialState(this.config(name), disk, `p${processes}`, world.now);
    const state = this.mutation.started?.(fresh, world.now) ?? fresh;
    return this.feed(patch(world, name, { state, processes, paused: false }), name, { type: 'tick' });
  }

  /** Time passes: what has had no answer by now is given up on, and whoever can looks at its clock. */
  advance(world: World, byMs: number): World {
    let next: World = { ...world, now: world.now + byMs };
    this.check(next); // before anybody has looked at the clock
    for (const name of NAMES) {
      if (!awake(next, name)) continue;
      next = this.giveUp(next, name);
      next = this.feed(next, name, { type: 'tick' });
    }
    return next;
  }

  private giveUp(world: World, name: Name): World {
    let next = world;
    const { operation, promiseAsk } = stateOf(next, name);
    if (operation !== null) {
      const op = operation.id;
      next =
        operation.purpose === 'read'
          ? this.feed(next, name, { type: 'read-done', op, result: { kind: 'unreachable', detail: 'time' } })
          : this.feed(next, name, { type: 'write-done', op, result: { kind: 'unknown', detail: 'time' } });
    }
    if (promiseAsk !== null)
      next = this.feed(next, name, { type: 'promise-answered', id: promiseAsk.id, answer: null });
    return next;
  }

  deliver(world: World, message: Message): World {
    const { site } = message;
    switch (message.kind) {
      case 'read': {
        const { lease, etag } = world.store;
        const result =
          lease === null ? ({ kind: 'absent' } as const) : { kind: 'lease' as const, lease, etag };
        return enqueue(world, { ...message, kind: 'read-answer', result });
      }
      case 'write':
        return this.storeWrite(world, message);
      case 'read-answer':
        return this.answer(world, message, { type: 'read-done', op: message.op, result: message.result });
      case 'write-answer':
        return this.answer(world, message, { type: 'write-done', op: message.op, result: message.result });
      case 'promise': {
        const peer = otherName(site);
        if (!awake(world, peer)) return world;
        const request = { from: site, epoch: message.epoch };
        const { next, actions } = this.step1(world, peer, { type: 'promise-asked', id: message.id, request });
        const found = actions.find((action) => action.type === 'promise-answer');
        const after = this.perform(next, peer, actions);
        return found === undefined
          ? after
          : enqueue(after, { ...message, kind: 'promise-answer', answer: found.answer });
      }
      case 'promise-answer':
        return this.answer(world, message, {
          type: 'promise-answered',
          id: message.id,
          answer: message.answer,
        });
    }
  }

  /** To the process that asked, if it still lives. */
  private answer(world: World, message: Message, happening: Happening): World {
    const { processes } = world.sites[message.site];
    if (processes !== message.process || !awake(world, message.site)) return world;
    return this.feed(world, message.site, happening);
  }

  private storeWrite(world: World, message: Extract<Message, { kind: 'write' }>): World {
    const { store } = world;
    const current = store.lease === null ? 'absent' : store.etag;
    const answered = { site: message.site, process: message.process, op: message.op };
    if (current !== message.ifMatch && this.mutation.storeIgnoresEtags !== true)
      return enqueue(world, { ...answered, kind: 'write-answer', result: { kind: 'conflict' } });
    const { lease } = message;
    this.checkChange(world, store.lease, lease);
    const etag = lease.nonce; // equal contents have equal ETags, and a nonce never comes twice
    const before = store.lease === null ? null : { lease: store.lease, etag: store.etag };
    const next = { ...world, store: { lease, etag, before } };
    return enqueue(next, { ...answered, kind: 'write-answer', result: { kind: 'written', etag } });
  }

  private checkChange(world: World, before: Lease | null, after: Lease): void {
    const writer = NAMES.find((name) => after.nonce.startsWith(name));
    const accepted =
      writer !== undefined && world.sites[writer].disk.pendingClaim?.entry.acceptedDataLoss != null;
    checkLeaseChange(before, after, accepted && before !== null, world.now);
  }

  feed(world: World, name: Name, happening: Happening): World {
    const { next, actions } = this.step1(world, name, happening);
    return this.perform(next, name, actions);
  }

  private step1(world: World, name: Name, happening: Happening): { next: World; actions: readonly Action[] } {
    const site = world.sites[name];
    const result = this.step(stateOf(world, name), {
      ...happening,
      now: world.now,
      wall: '',
      local: {
        promotable: { promotable: site.promotable, site: name, reasons: [] },
        canary: site.sick ? 'failing' : 'healthy',
        recovering: false,
        dataAgeSeconds: 1,
      },
    });
    const next = patch(world, name, { state: result.state });
    return { next: this.check(next), actions: result.actions };
  }

  /** Messages go on their way; what stays within a machine, or cannot hurt, happens at once. */
  private perform(world: World, name: Name, actions: readonly Action[]): World {
    let next = world;
    for (const action of actions) next = this.performOne(next, name, action);
    return next;
  }

  private performOne(world: World, name: Name, action: Action): World {
    const process = world.sites[name].processes;
    switch (action.type) {
      case 'read':
        return enqueue(world, { kind: 'read', site: name, process, op: action.op });
      case 'write':
        return this.sendWrite(world, name, action);
      case 'ask-promise':
        return enqueue(world, { kind: 'promise', site: name, process, id: action.id, epoch: action.epoch });
      case 'persist': {
        const saved = this.persisted(world, name, action.value);
        return this.feed(saved, name, { type: 'persist-done', seq: action.seq, ok: true });
      }
      case 'ask-peer':
        return this.feed(world, name, {
          type: 'peer-status',
          id: action.id,
          status: this.peerStatus(world, name),
        });
      case 'sync':
        return this.sync(world, name, action.id);
      case 'wake-peer': {
        const peer = otherName(name);
        return linked(world) && awake(world, peer) ? this.feed(world, peer, { type: 'wake' }) : world;
      }
      case 'read-history':
        return this.feed(world, name, { type: 'history-read', id: action.id, switches: [] });
      case 'append-history':
        return this.feed(world, name, { type: 'history-written', id: action.id, ok: true });
      case 'promise-answer':
      case 'answer':
      case 'emit':
        return world;
    }
  }

  private sendWrite(world: World, name: Name, { op, lease, ifMatch }: LeaseWrite): World {
    this.checkDecision(world, name, lease);
    const process = world.sites[name].processes;
    return enqueue(world, { kind: 'write', site: name, process, op, lease, ifMatch });
  }

  /** A site that may have writes nobody else has does not take the lease by itself. */
  private checkDecision(world: World, name: Name, lease: Lease): void {
    const { tainted, promotable } = world.sites[name];
    const pending = stateOf(world, name).persisted.pendingClaim;
    if (pending?.lease.nonce !== lease.nonce || pending.entry.cause === 'bootstrap') return;
    if (pending.entry.acceptedDataLoss !== null) return;
    if (!promotable) broken('no switch to a site that is not promotable', name);
    if (tainted !== null && tainted < lease.epoch - 1)
      broken('no failback by itself', `${name} claims epoch ${lease.epoch}, tainted since ${tainted}`);
  }

  private persisted(world: World, name: Name, value: PersistedState): World {
    const { tainted } = world.sites[name];
    const cleared =
      tainted !== null &&
      (value.cleanHandoverEpoch === tainted ||
        (!value.reprotecting && (value.reprotectedEpoch ?? 0) > tainted));
    return patch(world, name, { disk: value, ...(cleared ? { tainted: null } : {}) });
  }

  private peerStatus(world: World, name: Name): PeerStatus | null {
    const peer = otherName(name);
    if (!linked(world) || !awake(world, peer)) return null;
    const state = stateOf(world, peer);
    const { hold, observed } = state;
    const seen = observed?.kind === 'lease' ? observed.lease : null;
    const { promotable, sick } = world.sites[peer];
    return {
      state: siteState(state, world.now),
      lease:
        hold !== null
          ? { epoch: hold.epoch, holder: peer }
          : seen === null
            ? null
            : { epoch: seen.epoch, holder: seen.holder },
      witness: state.witness,
      promotable: promotable && !sick && lineageReason(state.persisted) === null,
    };
  }

  /** Publish and apply, at once or not at all. */
  private sync(world: World, name: Name, id: number): World {
    const peer = otherName(name);
    const possible =
      linked(world) && awake(world, peer) && stateOf(world, peer).hold === null && world.cut.length === 0;
    const publish = possible
      ? { id: 's', site: name, epoch: stateOf(world, name).hold?.epoch ?? 0, points: 0, bytes: 0 }
      : null;
    return this.feed(world, name, { type: 'sync-done', id, publish });
  }

  /** Guarantees 1 and 2, at this very moment; also of a process that stands still and has not looked at its clock. */
  private check(world: World): World {
    const writable = NAMES.filter((name) => this.writable(world, name));
    if (writable.length > 1) broken('one writable site', `both are at ${world.now}`);
    const [name] = writable;
    if (name === undefined) return world;
    const epoch = world.sites[name].state?.hold?.epoch ?? 0;
    if (epoch < world.acknowledged)
      broken('no acknowledgement after a later epoch', `${name} under ${epoch} after ${world.acknowledged}`);
    return { ...patch(world, name, { tainted: epoch }), acknowledged: epoch };
  }

  private writable(world: World, name: Name): boolean {
    const { state } = world.sites[name];
    if (state === null) return false;
    return this.mutation.writesDuringHandover === true
      ? holdsLease(state, world.now)
      : isWritable(state, world.now);
  }

  private config(name: Name): LeaseConfig {
    const config = { ...CONFIG, site: name, peer: otherName(name), initialHolder: name === 'sitea' };
    return this.mutation.config?.(config) ?? config;
  }
}

export const awake = (world: World, name: Name): boolean =>
  world.sites[name].state !== null && !world.sites[name].paused;

const linked = (world: World): boolean => !world.cut.includes('sitea-siteb');

function stateOf(world: World, name: Name): LeaseState {
  const { state } = world.sites[name];
  if (state === null) throw new Error(`${name} is not running`);
  return state;
}

export function patch(world: World, name: Name, change: Partial<SiteWorld>): World {
  return { ...world, sites: { ...world.sites, [name]: { ...world.sites[name], ...change } } };
}

/** A message over a cut link is lost. */
function enqueue(world: World, message: Message): World {
  if (world.cut.includes(linkOf(message))) return world;
  return { ...world, queue: [...world.queue, message] };
}
