import { type DnsSpec, ServerSpec } from '../contract/site-spec';
import { TestAuthority } from '../config/testing/certificates';
import {
  type ConfigInput,
  parseSite,
  parseWitness,
  SITE,
  STANDBY,
  validFiles,
  WITNESS,
} from '../config/testing/valid-config';
import { siteSections } from './site';
import { storeAccountsFile, witnessSections } from './witness';

const authority = new TestAuthority();
const files = validFiles(authority);
afterAll(() => authority.remove());

const witness = {
  storeEndpoint: 'https://w.test:7070',
  storeRegion: 'r',
  leaseBucket: 'lease',
  snapshotBucket: 'snaps',
};
function site(change: ConfigInput = {}, base: ConfigInput = SITE) {
  const { settings, own, peer, files: read } = parseSite({ ...base, ...change }, files);
  return siteSections({ settings, own, peer, caCertificate: read.caCertificate, witness });
}
const atWitness = (change: ConfigInput = {}) =>
  witnessSections(parseWitness({ ...WITNESS, ...change }, files).settings);

describe('a site', () => {
  it('opens SSH to operators, DNS to resolvers, and HTTPS to clients, operators, its peer and the witness', () => {
    const resolvers = ['10.7.0.0/16', '10.1.0.10/32', '10.2.0.10/32'];
    expect(site({ sshPort: 2222, resolverCidrs: ['10.7.0.0/16'] }).firewall.allow).toEqual([
      { comment: 'SSH from operators', protocol: 'tcp', port: 2222, from: ['10.9.0.0/24'] },
      { comment: 'DNS', protocol: 'udp', port: 53, from: resolvers },
      { comment: 'DNS', protocol: 'tcp', port: 53, from: resolvers },
      {
        comment: 'HTTPS from clients, operators, peer and DNS checks',
        protocol: 'tcp',
        port: 443,
        from: ['10.8.0.0/16', '10.9.0.0/24', '10.2.0.10/32', '10.3.0.10/32'],
      },
    ]);
  });

  it('names an IPv6 peer as one address', () => {
    const sites = [
      { site: 'uk-primary', host: 'uk.failover.test', addresses: ['2001:db8::1'] },
      { site: 'eu-standby', host: 'eu.failover.test', addresses: ['2001:db8::2'] },
    ];
    const https = site({ sites }).firewall.allow.find(({ port }) => port === 443);
    expect(https?.from).toContain('2001:db8::2/128');
  });

  it('takes the first lease on one site only', () => {
    const held = [site(), site({}, STANDBY)].map(({ agent }) => agent.initialHolder);
    expect(held).toEqual([true, false]);
    const swapped = [site({ initialSite: 'eu-standby' }), site({ initialSite: 'eu-standby' }, STANDBY)];
    expect(swapped.map(({ agent }) => agent.initialHolder)).toEqual([false, true]);
  });

  it('knows its peer by name, host and addresses', () => {
    expect(site().agent.peer).toEqual({
      site: 'eu-standby',
      host: 'eu.failover.test',
      addresses: ['10.2.0.10'],
    });
    expect(site({}, STANDBY).edge.peer).toEqual({ host: 'uk.failover.test', addresses: ['10.1.0.10'] });
  });

  it('gives a renewal time for two requests before the next', () => {
    expect(site({ leaseTtlSeconds: 6, leaseSafetyMarginSeconds: 1 }).agent.lease).toMatchObject({
      ttlSeconds: 6,
      requestTimeoutSeconds: 1,
    });
  });

  it('runs vLLM in a container with its GPUs, or from an environment', () => {
    const image = `vllm@sha256:${'b'.repeat(64)}`;
    const container = {
      inferenceRuntime: 'container',
      inferenceVenvPath: '',
      inferenceImage: image,
    } as const;
    expect(site(container).inference.runtime).toEqual({ kind: 'container', image, gpus: 'all' });
    expect(site().inference.runtime).toEqual({ kind: 'venv', path: '/opt/vllm' });
  });

  it('bounds memory only when told', () => {
    expect(site().vectors).not.toHaveProperty('memoryMax');
    expect(site({ qdrantMemoryMax: '8G' }).vectors).toHaveProperty('memoryMax', '8G');
  });

  it('asks for a certificate of both of its names with ACME', () => {
    const acme = {
      tlsMode: 'acme',
      acmeEmail: 'a@b.test',
      tlsCertificateFile: '',
      tlsPrivateKeyFile: '',
    } as const;
    expect(site(acme).edge.tls).toMatchObject({
      mode: 'acme',
      names: ['api.failover.test', 'uk.failover.test'],
      dnsServer: '10.3.0.10',
    });
  });

  it('fits the contract', () => {
    const spec = { schemaVersion: 1, server: { site: 'uk-primary', name: 'uk-1' }, ...site() };
    expect(() => ServerSpec.parse(spec)).not.toThrow();
  });
});

describe('the nameservers', () => {
  const ACME: ConfigInput = {
    tlsMode: 'acme',
    acmeEmail: 'a@b.test',
    tlsCertificateFile: '',
    tlsPrivateKeyFile: '',
  };
  const copies = (change: ConfigInput = {}): DnsSpec[] => {
    const { tlsCertificateFile: _certificate, tlsPrivateKeyFile: _key, ...shared } = change;
    const specs = [atWitness(shared).dns, site(change).dns, site(change, STANDBY).dns];
    return specs.filter((spec) => spec !== undefined);
  };

  it.each<[string, ConfigInput]>([
    ['certificates from files', {}],
    ['certificates by ACME', ACME],
    [
      'two addresses a site',
      {
        sites: [
          { site: 'uk-primary', host: 'uk.failover.test', addresses: ['10.1.0.10', '2001:db8::1'] },
          { site: 'eu-standby', host: 'eu.failover.test', addresses: ['10.2.0.10', '2001:db8::2'] },
        ],
      },
    ],
  ])('are told to make the same zone, with %s', (_what, change) => {
    const zones = copies(change).map(({ listen: _listen, tsigName: _tsigName, ...zone }) => zone);
    expect(zones).toHaveLength(3);
    expect(zones[1]).toEqual(zones[0]);
    expect(zones[2]).toEqual(zones[0]);
  });

  it('are the witness’s, and the sites’ in the order of the configuration', () => {
    expect(copies()[2]?.nameservers).toEqual([
      { host: 'witness.failover.test', address: '10.3.0.10' },
      { host: 'uk.failover.test', address: '10.1.0.10' },
      { host: 'eu.failover.test', address: '10.2.0.10' },
    ]);
  });

  it('take updates at the witness only', () => {
    expect(copies(ACME).map(({ tsigName }) => tsigName)).toEqual(['failover-acme', undefined, undefined]);
    const hosts = ['api', 'witness', 'uk', 'eu'].map((host) => `${host}.failover.test`);
    expect(copies(ACME)[1]?.challengeHosts).toEqual(hosts);
    expect(copies()[0]?.challengeHosts).toEqual([]);
  });

  it('listen at their own addresses, all that their names lead to', () => {
    expect(copies().map(({ listen }) => listen)).toEqual([['10.3.0.10'], ['10.1.0.10'], ['10.2.0.10']]);
  });

  it('are not at the sites where another provider answers: no section, no open port', () => {
    const { settings, own, peer } = parseSite(SITE, files);
    const elsewhere = { ...settings, dnsProvider: 'route53' as const };
    const { dns, firewall } = siteSections({
      settings: elsewhere,
      own,
      peer,
      caCertificate: undefined,
      witness,
    });
    expect(dns).toBeUndefined();
    expect(firewall.allow.map(({ port }) => port)).not.toContain(53);
  });

  it('are not at a site on AWS, nor does a nameserver’s name lead there', () => {
    const { settings, own, peer } = parseSite(SITE, files);
    const onAws = { ...own, platform: 'aws' as const };
    const sites = settings.sites.map((each) => (each.site === own.site ? onAws : each));
    const input = { settings: { ...settings, sites }, peer, caCertificate: undefined, witness };
    const aws = siteSections({ ...input, own: onAws });
    expect(aws.dns).toBeUndefined();
    expect(aws.firewall.allow.map(({ port }) => port)).toEqual([443]);
    const hosts = siteSections({ ...input, own: peer, peer: onAws }).dns?.nameservers.map(({ host }) => host);
    expect(hosts).toEqual(['witness.failover.test', 'eu.failover.test']);
  });
});

describe('the witness', () => {
  it('opens SSH to operators, DNS to resolvers, and the store to sites and operators', () => {
    const resolvers = ['0.0.0.0/0', '::/0', '10.1.0.10/32', '10.2.0.10/32'];
    expect(atWitness().firewall.allow.map(({ protocol, port, from }) => ({ protocol, port, from }))).toEqual([
      { protocol: 'tcp', port: 22, from: ['10.9.0.0/24'] },
      { protocol: 'udp', port: 53, from: resolvers },
      { protocol: 'tcp', port: 53, from: resolvers },
      { protocol: 'tcp', port: 7070, from: ['10.1.0.10/32', '10.2.0.10/32', '10.9.0.0/24'] },
    ]);
  });

  it('answers for the service with the sites in order, and the TTL', () => {
    expect(atWitness().dns).toMatchObject({
      zone: 'failover.test',
      serviceHost: 'api.failover.test',
      ttlSeconds: 60,
      sites: [{ site: 'uk-primary' }, { site: 'eu-standby' }],
    });
  });

  it('takes ACME updates only when the sites use ACME', () => {
    expect(atWitness().dns.tsigName).toBeUndefined();
    expect(atWitness({ tlsMode: 'acme' }).dns.tsigName).toBe('failover-acme');
  });

  it('downloads its store by checksum', () => {
    const from = {
      versitygwArtifact: 'https://x.test/v.tar.gz',
      versitygwArtifactSha256: 'd'.repeat(64),
      versitygwArtifactMember: 'v/versitygw',
    };
    expect(atWitness(from).objectStore.runtime).toEqual({
      kind: 'url',
      url: 'https://x.test/v.tar.gz',
      sha256: 'd'.repeat(64),
      member: 'v/versitygw',
    });
  });

  it('writes the store’s accounts as its agent reads them', () => {
    expect(JSON.parse(storeAccountsFile({ 'uk-primary': { accessKey: 'a', secretKey: 's' } }))).toEqual([
      { access: 'a', secret: 's', site: 'uk-primary' },
    ]);
  });

  it('fits the contract', () => {
    const spec = { schemaVersion: 1, server: { site: 'witness', name: 'witness-1' }, ...atWitness() };
    expect(() => ServerSpec.parse(spec)).not.toThrow();
  });
});
