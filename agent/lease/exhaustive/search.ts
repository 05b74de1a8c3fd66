/**
 * Tries everything that can happen in a small world within bounds: whatever is not counted against the budget happens in
 * every order, and at every point one of so many things may go wrong. Time goes on step by step; of worlds that are alike
 * at the same step only one is followed.
 */
import type { Mutation } from '../simulation/mutation';
import { NO_MUTATION } from '../simulation/mutation';
import { InvariantBrokenError } from '../simulation/invariants';
import { keyOf } from './key';
import { awake, patch, Steps } from './steps';
import { NAMES, TICK_MS, type Link, type Message, type World } from './world';

export interface Bounds {
  /** Things that go wrong: lost, late or repeated messages, cuts, crashes, pauses, store faults, people. */
  readonly budget: number;
  /** Steps of time after the first lease; a TTL is four. */
  readonly ticks: number;
  /** Gives up, having found nothing, after so many different worlds. */
  readonly mostWorlds?: number;
}

export interface Found {
  readonly worlds: number;
  readonly broken: InvariantBrokenError | null;
  /** What had gone wrong on the way to it. */
  readonly trace: readonly string[];
  readonly complete: boolean;
}

interface Node {
  readonly world: World;
  readonly told: Told | null;
}
/** The way to a world, shared with its siblings. */
interface Told {
  readonly text: string;
  readonly before: Told | null;
}
interface Choice {
  readonly text: string | null;
  readonly cost: number;
  readonly next: () => World;
}

const LINKS: readonly Link[] = ['sitea-store', 'siteb-store', 'sitea-siteb'];

export function search(bounds: Bounds, mutation: Mutation = NO_MUTATION): Found {
  const steps = new Steps(mutation);
  let frontier: Node[];
  let worlds = 0;
  try {
    frontier = [{ world: firstLease(steps, bounds.budget), told: null }];
  } catch (error) {
    if (error instanceof InvariantBrokenError) return { worlds, broken: error, trace: [], complete: true };
    throw error;
  }
  for (let tick = 0; tick < bounds.ticks; tick += 1) {
    const seen = new Map<string, number>();
    const quiet = new Map<string, Node>();
    const stack = frontier;
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      const { world } = node;
      const key = keyOf(world);
      if ((seen.get(key) ?? -1) >= world.budget) continue;
      seen.set(key, world.budget);
      worlds += 1;
      if (worlds > (bounds.mostWorlds ?? Infinity))
        return { worlds, broken: null, trace: [], complete: false };
      if (world.queue.length === 0) {
        const known = quiet.get(key);
        if (known === undefined || known.world.budget < world.budget) quiet.set(key, node);
      }
      for (const choice of choices(steps, world)) {
        if (choice.cost > world.budget) continue;
        const told =
          choice.text === null ? node.told : { text: `${world.now} ${choice.text}`, before: node.told };
        try {
          const next = choice.next();
          stack.push({ world: { ...next, budget: world.budget - choice.cost }, told });
        } catch (error) {
          if (!(error instanceof InvariantBrokenError)) throw error;
          return { worlds, broken: error, trace: traceOf(told), complete: true };
        }
      }
    }
    const later: Node[] = [];
    for (const node of quiet.values()) {
      try {
        later.push({ ...node, world: steps.advance(node.world, TICK_MS) });
      } catch (error) {
        if (!(error instanceof InvariantBrokenError)) throw error;
        return { worlds, broken: error, trace: traceOf(node.told), complete: true };
      }
    }
    frontier = later;
  }
  return { worlds, broken: null, trace: [], complete: true };
}

/** Nothing goes wrong until the first holder writes. */
function firstLease(steps: Steps, budget: number): World {
  let world = settle(steps, steps.initial(budget));
  for (let tick = 0; tick < 20 && world.acknowledged === 0; tick += 1)
    world = settle(steps, steps.advance(world, TICK_MS));
  if (world.acknowledged === 0) throw new Error('nobody took the first lease');
  return world;
}

function settle(steps: Steps, from: World): World {
  let world = from;
  for (let message = world.queue[0]; message !== undefined; message = world.queue[0])
    world = steps.deliver({ ...world, queue: world.queue.slice(1) }, message);
  return world;
}

function choices(steps: Steps, world: World): Choice[] {
  const [message, ...queue] = world.queue;
  return message === undefined ? quietly(steps, world) : withMessage(steps, { ...world, queue }, message);
}

/** What may become of the next message. */
function withMessage(steps: Steps, world: World, message: Message): Choice[] {
  const name = `${message.kind} of ${message.site}`;
  const list: Choice[] = [
    { text: null, cost: 0, next: () => steps.deliver(world, message) },
    { text: `lost: ${name}`, cost: 1, next: () => world },
    { text: `late: ${name}`, cost: 1, next: () => ({ ...world, held: [...world.held, message] }) },
  ];
  if (message.kind === 'write') {
    list.push(
      {
        text: `sender dead: ${name}`,
        cost: 1,
        next: () => steps.deliver(patch(world, message.site, { state: null }), message),
      },
      {
        text: `acknowledged and forgotten: ${name}`,
        cost: 1,
        next: () => forgotten(world, message),
      },
      {
        text: `twice: ${name}`,
        cost: 1,
        next: () => steps.deliver({ ...world, held: [...world.held, message] }, message),
      },
    );
  }
  const { before } = world.store;
  if (message.kind === 'read' && before !== null) {
    const result = { kind: 'lease' as const, ...before };
    const { site, process, op } = message;
    const stale: Message = { kind: 'read-answer', site, process, op, result };
    list.push({ text: `old: ${name}`, cost: 1, next: () => steps.deliver(world, stale) });
  }
  return list;
}

/** The store says that it has written what it would have accepted, and has not. */
function forgotten(world: World, { site, process, op, lease, ifMatch }: Message & { kind: 'write' }): World {
  const accepted = world.store.lease !== null && world.store.etag === ifMatch;
  const result = accepted ? { kind: 'written' as const, etag: lease.nonce } : { kind: 'conflict' as const };
  return { ...world, queue: [...world.queue, { kind: 'write-answer', site, process, op, result }] };
}

/** Nothing is on its way but what is late. */
function quietly(steps: Steps, world: World): Choice[] {
  const list: Choice[] = world.held.map((message, index) => ({
    text: `arrives: ${message.kind} of ${message.site}`,
    cost: 0,
    next: () => ({ ...world, held: world.held.filter((_, other) => other !== index), queue: [message] }),
  }));
  for (const link of LINKS) {
    const rest = world.cut.filter((other) => other !== link);
    const cut = rest.length < world.cut.length;
    list.push({
      text: `${cut ? 'mended' : 'cut'}: ${link}`,
      cost: cut ? 0 : 1,
      next: () => ({ ...world, cut: cut ? rest : [...world.cut, link].sort() }),
    });
  }
  for (const name of NAMES) {
    const site = world.sites[name];
    const add = (text: string, cost: number, next: () => World): number =>
      list.push({ text: `${text}: ${name}`, cost, next });
    if (site.state === null) {
      add('started', 0, () => steps.start(world, name));
      continue;
    }
    if (site.paused) add('goes on', 0, () => steps.feed(patch(world, name, { paused: false }), name, TICK));
    if (!awake(world, name)) continue;
    const request = { by: 'p', reason: 'r' };
    add('dead', 1, () => patch(world, name, { state: null }));
    add('stands still', 1, () => patch(world, name, { paused: true }));
    if (!site.sick) add('sick', 1, () => patch(world, name, { sick: true }));
    if (site.promotable) add('not promotable', 1, () => patch(world, name, { promotable: false }));
    add('switch', 1, () => steps.feed(world, name, { type: 'switch', id: 1, request }));
    add('promote', 1, () => steps.feed(world, name, { type: 'promote', id: 1, request }));
  }
  return list;
}

const TICK = { type: 'tick' } as const;

function traceOf(told: Told | null): string[] {
  const lines: string[] = [];
  for (let line = told; line !== null; line = line.before) lines.unshift(line.text);
  return lines;
}
