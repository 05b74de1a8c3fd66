import type { SiteOutputs, WitnessOutputs } from '../../infra/contract/stack-outputs';
import { sampleRecord } from './sample-record';

/** Everything in it that must never be shown begins with `secret-`. */
export function sampleWitness(changes: Partial<WitnessOutputs> = {}): WitnessOutputs {
  return {
    kind: 'witness',
    zone: 'example.com',
    serviceHost: 'api.example.com',
    servers: [{ name: 'witness-1', address: '192.0.2.30' }],
    nameservers: ['192.0.2.30'],
    storeEndpoint: 'https://witness.example.com:7070',
    storeRegion: 'us-east-1',
    leaseBucket: 'failover-lease',
    snapshotBucket: 'failover-snapshots',
    clientKey: 'secret-client',
    operatorKey: 'secret-operator',
    peerKey: 'secret-peer',
    qdrantKey: 'secret-qdrant',
    vllmKey: 'secret-vllm',
    repositoryKey: 'secret-repository',
    tsigKey: 'secret-tsig',
    storeAccounts: { 'uk-primary': { accessKey: 'uk', secretKey: 'secret-store' } },
    ...changes,
  };
}

export function sampleSite(
  site: 'uk-primary' | 'eu-standby',
  changes: Partial<SiteOutputs> = {},
): SiteOutputs {
  const label = site.slice(0, 2);
  return {
    kind: 'site',
    site,
    platform: 'dedicated',
    peerSite: site === 'uk-primary' ? 'eu-standby' : 'uk-primary',
    servers: [{ name: `${label}-1`, address: label === 'uk' ? '192.0.2.10' : '192.0.2.20' }],
    serviceUrl: 'https://api.example.com',
    siteUrl: `https://${label}.example.com`,
    peerUrl: 'https://peer.example.com',
    dnsTtlSeconds: 60,
    switchingMode: 'manual',
    configHash: 'c',
    modelName: 'tiny',
    modelSha256: 'm',
    qdrantVersion: '1.18.3',
    budget: sampleRecord().budget,
    ...changes,
  };
}
