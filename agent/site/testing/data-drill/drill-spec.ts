import { SiteAgentSpec } from '../../../../infra/contract/site-spec';

export type SiteName = 'uk' | 'eu';

/** A person decides every switch, so that a slow machine cannot; otherwise as the lab's compressed timings. */
export function drillSpec(
  site: SiteName,
  enginePort: number,
  vectorsPort: number,
  qdrantVersion: string,
): SiteAgentSpec {
  const peer = site === 'uk' ? 'eu' : 'uk';
  return SiteAgentSpec.parse({
    site,
    siteHost: `${site}.example.com`,
    peer: { site: peer, host: `${peer}.example.com`, addresses: ['127.0.0.1'] },
    initialHolder: site === 'uk',
    lease: { ttlSeconds: 3, safetyMarginSeconds: 0.3, requestTimeoutSeconds: 0.9 },
    switching: {
      mode: 'manual',
      cooldownSeconds: 0,
      maxSwitchesPerHour: 10_000,
      handoverSyncSeconds: 20,
      engineRestartsPerHour: 0,
    },
    canary: { intervalSeconds: 0.5, timeoutSeconds: 0.5, failureThreshold: 5, recoveryThreshold: 2 },
    store: {
      endpoint: 'http://127.0.0.1:1',
      region: 'us-east-1',
      leaseBucket: 'lease',
      snapshotBucket: 'snapshots',
    },
    snapshots: { rpoSeconds: 600, holdWritesSeconds: 5 },
    restic: { kind: 'path', path: '/nowhere' }, // the process is told which program
    parity: { configHash: 'c', modelSha256: 'a'.repeat(64), qdrantVersion },
    inference: { port: enginePort, modelName: 'tiny' },
    vectors: { port: vectorsPort },
  });
}
