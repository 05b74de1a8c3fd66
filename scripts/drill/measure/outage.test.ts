import type { Attempt } from '../record';
import { outagesOf, recoveryOf, summarise } from './outage';

/** `+` success, `-` failure, one a second from `start`, each lasting 100 ms. */
function log(pattern: string, start = 0): Attempt[] {
  return [...pattern].map((mark, i) => ({
    client: 'c',
    seq: i,
    start: start + i * 1000,
    end: start + i * 1000 + 100,
    ok: mark === '+',
    status: mark === '+' ? 200 : 503,
    site: 'uk',
    epoch: null,
    address: null,
    error: mark === '+' ? null : 'down',
  }));
}

describe('outages', () => {
  it('lasts from the last success before to the first success after', () => {
    expect(outagesOf(log('++---++'), 0, 7_000)).toEqual([{ from: 1_100, to: 5_100, seconds: 4, errors: 3 }]);
  });
  it('counts from the start of the window when there was no success before', () => {
    expect(outagesOf(log('--+', 500), 0, 5_000)).toEqual([{ from: 0, to: 2_600, seconds: 2.6, errors: 2 }]);
  });
  it('has no end while no success has come', () => {
    expect(outagesOf(log('+--'), 0, 10_000)).toEqual([{ from: 100, to: null, seconds: 9.9, errors: 2 }]);
  });
  it('finds every run, and the summary the longest', () => {
    const attempts = log('+-+--+-+');
    expect(outagesOf(attempts, 0, 9_000).map((outage) => outage.errors)).toEqual([1, 2, 1]);
    expect(summarise('c', attempts, 0, 9_000)).toMatchObject({
      attempts: 8,
      errors: 4,
      longest: { seconds: 3 },
    });
  });
  it('leaves out what lies outside the window', () => {
    expect(outagesOf(log('-+++-'), 1_000, 3_500)).toEqual([]);
  });
  it('does not take a success that was under way for one that came after', () => {
    const [slow] = log('+', 0);
    const attempts = [{ ...slow!, end: 3_000 }, ...log('--+', 1_000)];
    expect(outagesOf(attempts, 0, 5_000)).toEqual([{ from: 3_000, to: 3_100, seconds: 0.1, errors: 2 }]);
  });
});

describe('recovery', () => {
  it('is the end of the first success after which nothing failed for the sustain time', () => {
    expect(recoveryOf(log('+---++++++'), 900, 20_000, 3_000)).toEqual({ at: 4_100, seconds: 3.2 });
  });
  it('is not a success in the middle of failures', () => {
    expect(recoveryOf(log('+--+--++++++'), 900, 20_000, 3_000).at).toBe(6_100);
  });
  it('does not wait for a failure that came long after', () => {
    expect(recoveryOf(log('+--++++++-+++'), 900, 20_000, 3_000).at).toBe(3_100);
  });
  it('is 0 when nothing failed after the fault', () => {
    expect(recoveryOf(log('-++++'), 900, 5_000, 3_000)).toEqual({ at: 900, seconds: 0 });
  });
  it('is missing when the last success was not sustained until the end', () => {
    expect(recoveryOf(log('+---+'), 900, 5_000, 3_000)).toEqual({ at: null, seconds: null });
  });
  it('does not count a success that began before the first failure, however late it ended', () => {
    const [slow] = log('+', 950);
    expect(recoveryOf([{ ...slow!, end: 8_000 }, ...log('---', 1_000)], 900, 9_000, 500).at).toBeNull();
  });
});
