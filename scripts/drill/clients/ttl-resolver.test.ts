import { TtlResolver } from './ttl-resolver';

function setUp(answers: { addresses: string[]; ttlSeconds: number }[]): {
  resolver: TtlResolver;
  clock: { now: number };
  asked: () => number;
} {
  const clock = { now: 1_000 };
  let asked = 0;
  const resolver = new TtlResolver(
    () => {
      const answer = answers[Math.min(asked, answers.length - 1)];
      asked += 1;
      return answer === undefined ? Promise.reject(new Error('no answer')) : Promise.resolve(answer);
    },
    () => clock.now,
  );
  return { resolver, clock, asked: () => asked };
}

describe('a client that honours the TTL', () => {
  it('trap 23: keeps an answer until its TTL has passed, and asks again right then', async () => {
    const { resolver, clock, asked } = setUp([
      { addresses: ['10.0.0.1'], ttlSeconds: 60 },
      { addresses: ['10.0.0.2'], ttlSeconds: 60 },
    ]);
    expect(await resolver.address()).toBe('10.0.0.1');
    clock.now += 59_999;
    expect(await resolver.address()).toBe('10.0.0.1');
    expect(asked()).toBe(1);
    clock.now += 1;
    expect(await resolver.address()).toBe('10.0.0.2');
    expect(asked()).toBe(2);
  });
  it('never keeps an answer with a TTL of 0', async () => {
    const { resolver, asked } = setUp([{ addresses: ['10.0.0.1'], ttlSeconds: 0 }]);
    await resolver.address();
    await resolver.address();
    expect(asked()).toBe(2);
  });
  it('fails when asking fails, instead of using an answer beyond its TTL', async () => {
    const clock = { now: 0 };
    let fail = false;
    const resolver = new TtlResolver(
      () =>
        fail
          ? Promise.reject(new Error('SERVFAIL'))
          : Promise.resolve({ addresses: ['10.0.0.1'], ttlSeconds: 1 }),
      () => clock.now,
    );
    await resolver.address();
    clock.now = 1_000;
    fail = true;
    await expect(resolver.address()).rejects.toThrow('SERVFAIL');
    fail = false;
    await expect(resolver.address()).resolves.toBe('10.0.0.1');
  });
  it('asks once for requests that come together', async () => {
    const { resolver, asked } = setUp([{ addresses: ['10.0.0.1', '10.0.0.2'], ttlSeconds: 9 }]);
    expect(await Promise.all([resolver.address(), resolver.address()])).toEqual(['10.0.0.1', '10.0.0.2']);
    expect(asked()).toBe(1);
  });
});
