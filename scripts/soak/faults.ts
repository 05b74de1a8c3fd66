/** What a soak does to the world: rounds of several faults at once, all that follows from the seed. */
import type { ContextSite } from '../cli/context';
import { siteLabel, type ScenarioFault } from '../drill/scenarios';
import type { Random } from './random';

export interface SoakFault extends ScenarioFault {
  /** Two faults that touch the same thing are not made at once: the repair of one would not find the other's trace. */
  readonly touches: string;
}

/** What a person does in the middle of it. */
export type Interference = 'switch' | 'promote' | null;

export interface Round {
  readonly faults: readonly SoakFault[];
  /** Before each fault. */
  readonly pausesSeconds: readonly number[];
  readonly interference: Interference;
  /** How long all of them stand together. */
  readonly standSeconds: number;
}

const WITNESS = 'witness';
const MOST_AT_ONCE = 3;

type Draw = (random: Random, sites: readonly ContextSite[]) => SoakFault;

const server = (random: Random, sites: readonly ContextSite[]): string =>
  random.pick(random.pick(sites).servers);

const power: Draw = (random, sites) => {
  const target = random.pick([...sites.map(siteLabel), WITNESS]);
  return { words: ['kill', target], repair: ['revive', target], touches: target };
};

const cut: Draw = (random, sites) => {
  const verb = random.pick(['isolate', 'isolate-in', 'isolate-out']);
  const target = random.pick([...sites.map(siteLabel), WITNESS]);
  return { words: [verb, target], repair: ['heal'], touches: `cut of ${target}` };
};

const partition: Draw = (random, sites) => {
  const places = [...sites.map(siteLabel), WITNESS];
  const place = random.pick(places);
  const other = random.pick(places.filter((each) => each !== place));
  const touches = `cut of ${[place, other].sort().join(' and ')}`;
  return { words: ['partition', place, other], repair: ['heal'], touches };
};

/** Stopped, killed, or standing still again and again: the agent, the edge, the engine or the vector store. */
const processes: Draw = (random, sites) => {
  const target = server(random, sites);
  const unit = random.pick(['failover-agent', 'failover-edge', 'failover-vllm', 'failover-qdrant']);
  const touches = placeOf(target);
  switch (random.pick(['stop', 'kill', 'flap'] as const)) {
    case 'stop':
      return { words: ['stop-process', target, unit], repair: ['cont-process', target, unit], touches };
    case 'kill':
      return { words: ['kill-process', target, unit], repair: ['heal'], touches };
    case 'flap': {
      const [off, on, times] = [random.whole(1, 8) / 2, random.whole(1, 4) / 2, random.whole(2, 4)];
      return {
        words: ['flap-process', target, unit, '.', String(off), String(on), String(times)],
        repair: ['cont-process', target, unit],
        lastsSeconds: (off + on) * times,
        touches,
      };
    }
  }
};

const engine: Draw = (random, sites) => {
  const target = server(random, sites);
  const touches = placeOf(target);
  return random.chance(0.5)
    ? {
        words: ['break-unit', target, 'failover-vllm'],
        repair: ['mend-unit', target, 'failover-vllm'],
        touches,
      }
    : {
        words: ['flaky-port', target, '8000'],
        repair: ['steady-port', target],
        touches: `port of ${target}`,
      };
};

const store: Draw = (random) => {
  const words = random.pick([
    ['store-slow', String(random.whole(2, 25) / 10)],
    ['store-errors'],
    ['store-stale', String(random.whole(1, 10))],
    ['store-lost-write', String(random.whole(1, 4))],
  ]);
  return { words, repair: ['store-mend'], touches: `store: ${words[0] ?? ''}` };
};

/** By how often; power cuts take longest to recover from. */
const KINDS: readonly Draw[] = [
  power,
  cut,
  cut,
  partition,
  partition,
  processes,
  processes,
  engine,
  store,
  store,
];

const placeOf = (name: string): string => name.replace(/-\d+$/, '');

/**
 * @param switchSeconds longest that a switch takes from its cause on: faults stand for between a third and half as
 *   much again, so that some end before anybody has acted and some after
 */
export function drawRound(random: Random, sites: readonly ContextSite[], switchSeconds: number): Round {
  const wanted = random.whole(1, MOST_AT_ONCE);
  const faults: SoakFault[] = [];
  for (let tries = 0; faults.length < wanted && tries < 20; tries += 1) {
    const fault = random.pick(KINDS)(random, sites);
    if (faults.every((other) => compatible(fault, other))) faults.push(fault);
  }
  // What comes and goes holds up what comes after it.
  faults.sort((a, b) => (a.lastsSeconds ?? 0) - (b.lastsSeconds ?? 0));
  return {
    faults,
    pausesSeconds: faults.map(() => random.between(0, switchSeconds / 4)),
    interference: random.chance(0.3) ? random.pick(['switch', 'promote'] as const) : null,
    standSeconds: random.between(switchSeconds / 3, switchSeconds * 1.5),
  };
}

/** A store whose witness has no power cannot be slow; anything else goes with anything that it does not touch. */
function compatible(fault: SoakFault, other: SoakFault): boolean {
  if (fault.touches === other.touches) return false;
  const touched = [fault.touches, other.touches];
  return !(touched.includes(WITNESS) && touched.some((each) => each.startsWith('store')));
}
