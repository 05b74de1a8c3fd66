import { shiftWallClock } from './wall-clock';

afterEach(() => shiftWallClock(0));

describe('the shifted wall clock', () => {
  it('moves the present and leaves dates that are told, and monotonic time, alone', () => {
    const [before, monotonic] = [Date.now(), performance.now()];
    shiftWallClock(-86_400_000);
    expect(Date.now()).toBeLessThan(before - 86_000_000);
    expect(new Date().getTime()).toBeLessThan(before - 86_000_000);
    expect(new Date(5).toISOString()).toBe('1970-01-01T00:00:00.005Z');
    expect(Date.parse('1970-01-01T00:00:01Z')).toBe(1000);
    expect(performance.now()).toBeGreaterThanOrEqual(monotonic);
  });

  it('is right again at 0', () => {
    shiftWallClock(1e9);
    shiftWallClock(0);
    expect(Math.abs(new Date().getTime() - Date.now())).toBeLessThan(10_000);
    expect(new Date()).toBeInstanceOf(Date);
  });
});
