import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { REPOSITORY } from '../tools/cache';
import { TIMINGS, timingsConfig } from './timings';

const SHIPPED = (
  parse(readFileSync(path.join(REPOSITORY, 'Pulumi.yaml'), 'utf8')) as {
    config: Record<string, { default: unknown }>;
  }
).config;

const seconds = (timings: (typeof TIMINGS)[number], key: string): number =>
  Number(timingsConfig(timings)[key] ?? SHIPPED[key]?.default);

describe.each(TIMINGS)('%s timings', (timings) => {
  it('set only keys that the program has', () => {
    for (const key of Object.keys(timingsConfig(timings))) expect(SHIPPED).toHaveProperty(key);
  });

  it('wait for nobody, so that a drill measures the machine and not a person', () => {
    expect(timingsConfig(timings)['switchingMode'] ?? SHIPPED['switchingMode']?.default).not.toBe('manual');
  });

  it('keep the rules between themselves that the program checks', () => {
    expect(seconds(timings, 'leaseSafetyMarginSeconds')).toBeLessThanOrEqual(
      seconds(timings, 'leaseTtlSeconds') / 3,
    );
    expect(seconds(timings, 'probeTimeoutSeconds')).toBeLessThanOrEqual(
      seconds(timings, 'probeIntervalSeconds'),
    );
    expect(seconds(timings, 'probeRecoveryThreshold')).toBeGreaterThan(
      seconds(timings, 'probeFailureThreshold'),
    );
    expect(seconds(timings, 'copyEstimateSeconds')).toBeLessThanOrEqual(
      seconds(timings, 'publishIntervalSeconds'),
    );
  });
});

describe('production timings', () => {
  it('are what Pulumi.yaml ships', () => {
    expect(timingsConfig('production')).toEqual({});
  });
});

describe('compressed timings', () => {
  it('are shorter than the shipped ones', () => {
    for (const key of ['leaseTtlSeconds', 'dnsTtlSeconds', 'probeIntervalSeconds', 'publishIntervalSeconds'])
      expect(seconds('compressed', key)).toBeLessThan(Number(SHIPPED[key]?.default));
  });
});
