import { FewerServersError, findServer, grow } from './world';

describe('grow', () => {
  const ONE = { uk: 1, eu: 1, witness: 1 };

  it('lets a server join', () => {
    expect(grow(ONE, { uk: 2 })).toEqual({ uk: 2, eu: 1, witness: 1 });
  });

  it('keeps the servers that are there when nothing is asked for', () => {
    expect(grow({ ...ONE, eu: 3 }, {})).toEqual({ uk: 1, eu: 3, witness: 1 });
  });

  it('refuses to take a server away from under what is deployed to it', () => {
    expect(() => grow({ ...ONE, uk: 2 }, { uk: 1 })).toThrow(FewerServersError);
    expect(() => grow({ ...ONE, uk: 2 }, { uk: 1 })).toThrow(/uk has 2 servers and 1 are asked for/);
  });
});

describe('findServer', () => {
  it('refuses a name that no server can have', () => {
    expect(() => findServer('uk')).toThrow('There is no server "uk" in this lab');
  });
});
