import { SiteAgent } from './site-agent';
import { Server } from './server';
import { SERVER_ARGS, SERVER_STEPS, sectionInputs } from './testing/host';
import { named, record } from './testing/recording';

const spec = {
  site: 'uk-primary',
  siteHost: 'uk.failover.test',
  peer: { site: 'eu-standby', host: 'eu.failover.test', addresses: ['10.2.0.10'] },
  initialHolder: true,
  lease: { ttlSeconds: 30, safetyMarginSeconds: 5, maxClockDriftPpm: 500, requestTimeoutSeconds: 5 },
  switching: {
    mode: 'manual' as const,
    vetoSeconds: 60,
    cooldownSeconds: 600,
    maxSwitchesPerHour: 2,
    handoverSyncSeconds: 30,
    engineRestartGraceSeconds: 20,
    engineRestartsPerHour: 2,
  },
  canary: {
    intervalSeconds: 10,
    timeoutSeconds: 5,
    failureThreshold: 6,
    recoveryThreshold: 10,
    windowProbes: 10,
    windowFailureRatio: 0.5,
  },
  store: {
    endpoint: 'https://w.test:7070',
    region: 'r',
    leaseBucket: 'lease',
    snapshotBucket: 'snaps',
    credentials: 'account' as const,
  },
  snapshots: {
    rpoSeconds: 3600,
    history: { allHours: 2, hourlyHours: 48, dailyDays: 31 },
    holdWritesSeconds: 5,
    restoreTestIntervalHours: 0,
    maxMbitPerSecond: 500,
  },
  drillIntervalDays: 0,
  restic: { kind: 'path' as const, path: '/opt/restic' },
  parity: { configHash: 'h', modelSha256: 'a'.repeat(64), qdrantVersion: '1.18.3' },
  inference: { port: 8000, modelName: 'tiny', startTimeoutSeconds: 600 },
  vectors: { port: 6333 },
};

function declare() {
  const host = new Server('uk-1', SERVER_ARGS);
  const first = new SiteAgent('first', { host, after: [], spec });
  return new SiteAgent('second', { host, after: [first], spec });
}

describe('SiteAgent', () => {
  it('feeds the agent exactly its section, in the open', async () => {
    const { resources } = await record(declare);
    expect(named(resources, 'first')).toMatchObject({ type: 'failover:dedicated:SiteAgent', inputs: {} });
    expect(named(resources, 'first-uk-1')).toMatchObject({ type: 'command:remote:Command', parent: 'first' });
    expect(named(resources, 'first-uk-1').inputs).toEqual(sectionInputs('agent', spec));
  });

  it('comes after the server and after what it is told to follow, so that it goes before them', async () => {
    const { resources } = await record(declare);
    expect([...named(resources, 'first-uk-1').dependencies].sort()).toEqual([...SERVER_STEPS].sort());
    expect([...named(resources, 'second-uk-1').dependencies].sort()).toEqual(
      [...SERVER_STEPS, 'first-uk-1'].sort(),
    );
  });
});
