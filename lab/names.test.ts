import { address, gateway, namesFor, placeOf, PLACES, servers, subnet, UnknownNameError } from './names';

const HERE = namesFor('/somewhere/checkout');

describe('namesFor', () => {
  it('gives a checkout the same names every time', () => {
    expect(namesFor('/somewhere/checkout')).toEqual(HERE);
  });

  it('gives another checkout other names and another network', () => {
    const there = namesFor('/elsewhere/checkout');
    expect(there.prefix).not.toBe(HERE.prefix);
    expect(subnet(there, 'uk')).not.toBe(subnet(HERE, 'uk'));
  });

  it('keeps to private addresses and to names that fit into an interface or control group', () => {
    for (let number = 0; number < 500; number += 1) {
      const names = namesFor(`/checkouts/${number}`);
      const [first, second] = names.network.split('.').map(Number);
      expect(first).toBe(10);
      expect(second).toBeGreaterThanOrEqual(64);
      expect(second).toBeLessThanOrEqual(127);
      expect(names.third).toBeLessThanOrEqual(255);
      expect(names.prefix).toMatch(/^fo[0-9a-f]{4}$/);
    }
  });
});

describe('addresses', () => {
  const parts = (dotted: string): number[] => dotted.split(/[./]/).map(Number);

  it('puts every place into a network of its own, router and servers inside of it', () => {
    const starts = PLACES.map((place) => parts(subnet(HERE, place))[3] ?? -1);
    expect(new Set(starts).size).toBe(PLACES.length);
    for (const [index, place] of PLACES.entries()) {
      const start = starts[index] ?? -1;
      const inside = [gateway(HERE, place), address(HERE, place, 1), address(HERE, place, 9)];
      for (const each of inside) {
        expect(parts(each)[3]).toBeGreaterThan(start);
        expect(parts(each)[3]).toBeLessThan(start + 63);
      }
      expect(new Set(inside).size).toBe(inside.length);
    }
  });
});

describe('servers', () => {
  it('numbers the servers of a place from 1', () => {
    expect(servers({ uk: 2, eu: 1, witness: 1 }).map(({ name }) => name)).toEqual([
      'uk-1',
      'uk-2',
      'eu-1',
      'witness-1',
    ]);
  });
});

describe('placeOf', () => {
  it('refuses a place that does not exist and names those that do', () => {
    expect(() => placeOf('us')).toThrow(UnknownNameError);
    expect(() => placeOf('us')).toThrow(
      'There is no place "us" in this lab; there are: uk, eu, witness, client',
    );
  });
});
