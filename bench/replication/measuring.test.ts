import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { changedIds, pointOf, sampleStep } from './data';
import { parseTraffic } from './network';
import { unreadableSeconds, type Read } from './reads';
import { residentBytes } from './step';

describe('the data', () => {
  it('follows from id and version alone, and differs in both', () => {
    expect(pointOf(7, 1)).toEqual(pointOf(7, 1));
    expect(pointOf(7, 1).vector).not.toEqual(pointOf(7, 2).vector);
    expect(pointOf(7, 1).vector).not.toEqual(pointOf(8, 1).vector);
    expect(pointOf(7, 1).vector.every((value) => value === Math.fround(value) && Math.abs(value) <= 1)).toBe(
      true,
    );
  });

  it('changes one in a hundred, spread over all', () => {
    expect(changedIds(1000, 3)).toEqual([3, 103, 203, 303, 403, 503, 603, 703, 803, 903]);
  });

  it.each([1000, 20_000, 200_000, 1_000_000])(
    'is looked through where it was changed, of %i points',
    (points) => {
      const step = sampleStep(points);
      for (let round = 0; round < 100; round += 1) {
        const hit = changedIds(points, round).some((id) => id % step === 0);
        expect([round, hit]).toEqual([round, true]);
      }
    },
  );
});

describe('unreadable time', () => {
  const read = (startedAt: number, endedAt: number, ok: boolean): Read => ({ startedAt, endedAt, ok });

  it('is from the start of a read that fails to the end of the next that does not', () => {
    const reads = [
      read(0, 2, true),
      read(10, 15, false),
      read(20, 25, false),
      read(30, 32, true),
      read(40, 42, true),
    ];
    expect(unreadableSeconds(reads)).toBeCloseTo(0.022);
  });

  it('counts every gap, and one that never ends', () => {
    const reads = [read(0, 5, false), read(10, 20, true), read(30, 40, false), read(50, 60, false)];
    expect(unreadableSeconds(reads)).toBeCloseTo(0.05);
    expect(unreadableSeconds([])).toBe(0);
  });
});

describe('what is read of the kernel', () => {
  it('is the cable’s own counters', () => {
    const json =
      '[{"ifname":"eth0","stats64":{"rx":{"bytes":12,"packets":1},"tx":{"bytes":34,"packets":1}}}]';
    expect(parseTraffic(json)).toEqual({ sent: 34, received: 12 });
    expect(() => parseTraffic('[{}]')).toThrow(/no counters/);
  });

  it('is the memory of a process and of all below it', async () => {
    const hold =
      "const held = Buffer.alloc(64 << 20, 1); console.log('held'); setInterval(() => held.length, 1000)";
    const parent = spawn(process.execPath, [
      '-e',
      `const child = require('child_process').spawn(process.execPath, ['-e', ${JSON.stringify(hold)}], { stdio: ['pipe', 'inherit', 'inherit'] });
       process.stdin.resume(); process.stdin.on('end', () => { child.kill(); child.on('exit', () => process.exit()) })`,
    ]);
    try {
      await once(parent.stdout, 'data');
      const below = await residentBytes(parent.pid ?? 0);
      expect(below).toBeGreaterThan(100 * 1024 * 1024);
    } finally {
      const gone = once(parent, 'exit');
      parent.stdin.end();
      await gone;
    }
    expect(await residentBytes(parent.pid ?? 0)).toBe(0);
  });
});
