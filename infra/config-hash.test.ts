import { configHash } from './config-hash';
import { type ConfigInput, parseSite, SITE, STANDBY, validFiles } from './config/testing/valid-config';
import { TestAuthority } from './config/testing/certificates';
import { AlertsSpec, DnsRecordSpec } from './contract/outward-spec';
import { siteSections } from './specs/site';

const authority = new TestAuthority();
const files = validFiles(authority);
afterAll(() => authority.remove());

const witness = {
  storeEndpoint: 'https://w.test:7070',
  storeRegion: 'r',
  leaseBucket: 'lease',
  snapshotBucket: 'snaps',
};

function hashOf(config: ConfigInput): string {
  const { settings, own, peer, files: read } = parseSite({ ...config }, files);
  return siteSections({ settings, own, peer, caCertificate: read.caCertificate, witness }).agent.parity
    .configHash;
}

describe('configHash', () => {
  it('is the same on both sites of one configuration', () => {
    expect(hashOf(STANDBY)).toBe(hashOf(SITE));
  });

  it('is the same on both sites with ACME, whose certificates have different names', () => {
    const acme = {
      tlsMode: 'acme',
      acmeEmail: 'a@b.test',
      tlsCertificateFile: '',
      tlsPrivateKeyFile: '',
    } as const;
    expect(hashOf({ ...STANDBY, ...acme })).toBe(hashOf({ ...SITE, ...acme }));
  });

  it.each<ConfigInput>([
    { modelName: 'other' },
    { qdrantVersion: '1.18.4' },
    { leaseTtlSeconds: 33 },
    { switchingMode: 'automatic' },
    { publishIntervalSeconds: 901 },
    { inferenceExtraArgs: ['--max-model-len=4096'] },
    { edgeMaxConnections: 5000 },
  ])('differs when the sites would behave differently: %j', (change) => {
    expect(hashOf({ ...SITE, ...change })).not.toBe(hashOf(SITE));
  });

  it('does not depend on the version of the weights, which has a rule of its own while it changes', () => {
    const next = {
      modelSha256: 'c'.repeat(64),
      modelReplacesSha256: 'a'.repeat(64),
      modelKnownPrompt: 'ping',
      modelKnownAnswer: 'pong',
    };
    expect(hashOf({ ...SITE, ...next })).toBe(hashOf(SITE));
  });

  it('does not depend on where a site points DNS at, or on whom it tells', () => {
    const { settings, own, peer } = parseSite({ ...SITE }, files);
    const sections = siteSections({ settings, own, peer, caCertificate: undefined, witness });
    const record = { provider: 'cloudflare', zoneId: '0'.repeat(32), name: 'api.example.com' } as const;
    const outward = (address: string, targets: object[], more = {}) =>
      configHash({
        ...sections,
        agent: {
          ...sections.agent,
          dnsRecord: DnsRecordSpec.parse({ ...record, addresses: [address], ...more }),
          alerts: AlertsSpec.parse({ targets }),
        },
      });
    const hash = outward('192.0.2.1', [{ kind: 'slack' }]);
    expect(outward('192.0.2.2', [{ kind: 'generic' }])).toBe(hash);
    expect(outward('192.0.2.1', [{ kind: 'slack' }], { name: 'www.example.com' })).not.toBe(hash);
  });

  it('does not depend on the order of keys', () => {
    const { settings, own, peer } = parseSite({ ...SITE }, files);
    const sections = siteSections({ settings, own, peer, caCertificate: undefined, witness });
    const turned = {
      ...sections,
      inference: Object.fromEntries(Object.entries(sections.inference).reverse()),
    };
    expect(configHash(turned as typeof sections)).toBe(configHash(sections));
  });
});
