import { drawRound, type Round } from './faults';
import { Random } from './random';

const site = (name: string) => ({
  site: `${name}-site`,
  host: `${name}.failover.test`,
  port: 443,
  addresses: ['10.0.0.1'],
  servers: [`${name}-1`],
});
const SITES = [site('uk'), site('eu')];
const rounds = (seed: number, count: number): Round[] => {
  const random = new Random(seed);
  return Array.from({ length: count }, () => drawRound(random, SITES, 12));
};

it('draws the same rounds from the same seed, and others from another', () => {
  expect(rounds(7, 30)).toEqual(rounds(7, 30));
  expect(rounds(7, 30)).not.toEqual(rounds(8, 30));
});

it('draws every word that the lab knows sooner or later, with its repair', () => {
  const verbs = new Set(rounds(1, 400).flatMap(({ faults }) => faults.map(({ words }) => words[0])));
  expect([...verbs].sort()).toEqual([
    'break-unit',
    'flaky-port',
    'flap-process',
    'isolate',
    'isolate-in',
    'isolate-out',
    'kill',
    'kill-process',
    'partition',
    'stop-process',
    'store-errors',
    'store-lost-write',
    'store-slow',
    'store-stale',
  ]);
});

it('makes several faults at once, and never two to the same thing or to the store of a witness without power', () => {
  const drawn = rounds(3, 400);
  expect(new Set(drawn.map(({ faults }) => faults.length))).toEqual(new Set([1, 2, 3]));
  for (const { faults } of drawn) {
    const touches = faults.map((fault) => fault.touches);
    expect(new Set(touches).size).toBe(touches.length);
    if (touches.includes('witness')) expect(touches.filter((each) => each.startsWith('store'))).toEqual([]);
  }
});
