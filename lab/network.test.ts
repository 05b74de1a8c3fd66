import { address, namesFor, subnet } from './names';
import { faultRules, resolverText, type Cut } from './network';

const NAMES = namesFor('/somewhere/checkout');
const UK = subnet(NAMES, 'uk');
const EU = subnet(NAMES, 'eu');

function drops(cuts: readonly Cut[]): string[] {
  return faultRules(NAMES, cuts)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.startsWith('ip ') && line.endsWith(' drop'));
}

describe('faultRules', () => {
  it('drops both directions when a place is isolated', () => {
    expect(drops([{ kind: 'isolate', place: 'uk' }])).toEqual([`ip saddr ${UK} drop`, `ip daddr ${UK} drop`]);
  });

  it('drops one direction only when a place is isolated one way', () => {
    expect(drops([{ kind: 'isolate-in', place: 'uk' }])).toEqual([`ip daddr ${UK} drop`]);
    expect(drops([{ kind: 'isolate-out', place: 'uk' }])).toEqual([`ip saddr ${UK} drop`]);
  });

  it('drops only what passes between the two places of a partition', () => {
    expect(drops([{ kind: 'partition', place: 'uk', other: 'eu' }])).toEqual([
      `ip saddr ${UK} ip daddr ${EU} drop`,
      `ip daddr ${UK} ip saddr ${EU} drop`,
    ]);
  });

  it('keeps several faults at a time', () => {
    expect(
      drops([
        { kind: 'isolate-in', place: 'uk' },
        { kind: 'isolate-out', place: 'eu' },
      ]),
    ).toHaveLength(2);
  });

  it('replaces its own table as a whole, and touches no other', () => {
    const rules = faultRules(NAMES, []);
    expect(drops([])).toEqual([]);
    expect(rules).toMatch(/^table inet faults\ndelete table inet faults\ntable inet faults \{/);
    expect(rules).not.toContain('flush ruleset');
  });

  it('lets nobody answer for a server without power', () => {
    expect(faultRules(NAMES, [])).toContain('icmp type destination-unreachable drop');
  });
});

describe('resolverText', () => {
  it('names every nameserver of the zone, the witness’s first, and does not wait long for one', () => {
    expect(resolverText(NAMES).split('\n')).toEqual([
      ...(['witness', 'uk', 'eu'] as const).map((place) => `nameserver ${address(NAMES, place, 1)}`),
      'options timeout:1 attempts:2',
      '',
    ]);
  });
});
