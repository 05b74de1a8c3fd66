import { configHash } from '../config-hash';
import { TestAuthority } from '../config/testing/certificates';
import { type ConfigInput, parseSite, SITE, validFiles } from '../config/testing/valid-config';
import { ServerSpec } from '../contract/site-spec';
import { siteSections } from './site';
import { sectionsOn, siteServers } from './site-servers';

const authority = new TestAuthority();
const files = validFiles(authority);
afterAll(() => authority.remove());

const witness = {
  storeEndpoint: 'https://w.test:7070',
  storeRegion: 'r',
  leaseBucket: 'lease',
  snapshotBucket: 'snaps',
};
const ADDRESSES = ['10.1.0.10', '10.1.0.11', '10.1.0.12'];

function siteWith(count: number) {
  const sites: ConfigInput['sites'] = [
    { site: 'uk-primary', host: 'uk.failover.test', addresses: ADDRESSES.slice(0, count) },
    { site: 'eu-standby', host: 'eu.failover.test', addresses: ['10.2.0.10'] },
  ];
  const { settings, own, peer } = parseSite({ ...SITE, sites }, files);
  const servers = siteServers(own, ['uk-1', 'uk-2', 'uk-3'].slice(0, count));
  const facts = { settings, own, peer, caCertificate: undefined, witness, servers: count };
  const sections = siteSections(facts);
  return { sections, servers, on: servers.map((server) => sectionsOn(sections, servers, server)) };
}

describe('the servers of a site', () => {
  it('are what they always were when there is one', () => {
    const { sections, on } = siteWith(1);
    expect(on).toEqual([sections]);
    expect(JSON.stringify(sections)).not.toMatch(/cluster|others|"servers"/);
  });

  it('know one another, themselves and the one that the cluster began with', () => {
    const { on } = siteWith(3);
    expect(on.map(({ agent }) => agent.servers)).toMatchObject([
      { own: 'uk-1', founder: true, others: [{ name: 'uk-2', address: '10.1.0.11' }, { name: 'uk-3' }] },
      { own: 'uk-2', founder: false, others: [{ name: 'uk-1' }, { name: 'uk-3' }] },
      { own: 'uk-3', founder: false, others: [{ name: 'uk-1' }, { name: 'uk-2' }] },
    ]);
    expect(on.map(({ vectors }) => vectors.cluster)).toEqual(
      ADDRESSES.map((address) => ({ address, founder: '10.1.0.10', port: 6335, replicas: 3 })),
    );
    expect(on.map(({ edge }) => edge.others?.length)).toEqual([2, 2, 2]);
  });

  it('answer for the zone at their own address each, and are all in it', () => {
    const { on } = siteWith(2);
    expect(on.map(({ dns }) => dns?.listen)).toEqual([['10.1.0.10'], ['10.1.0.11']]);
    expect(on[0]?.dns?.nameservers).toEqual([
      { host: 'witness.failover.test', address: '10.3.0.10' },
      { host: 'uk.failover.test', address: '10.1.0.10' },
      { host: 'uk.failover.test', address: '10.1.0.11' },
      { host: 'eu.failover.test', address: '10.2.0.10' },
    ]);
  });

  it('let in one another and nobody else between the nodes of Qdrant', () => {
    const { firewall } = siteWith(2).sections;
    const between = firewall.allow.filter(({ port }) => port === 6335);
    expect(between.map(({ from }) => from)).toEqual([['10.1.0.10/32', '10.1.0.11/32']]);
    const https = firewall.allow.find(({ port }) => port === 443);
    expect(https?.from).toEqual(expect.arrayContaining(['10.1.0.10/32', '10.1.0.11/32']));
    expect(siteWith(1).sections.firewall.allow.map(({ port }) => port)).not.toContain(6335);
  });

  it('change nothing of what both sites must have in common', () => {
    const [one, three] = [siteWith(1), siteWith(3)];
    for (const sections of three.on) expect(configHash(sections)).toBe(configHash(one.sections));
  });

  it('fit the contract', () => {
    for (const sections of siteWith(2).on) {
      const server = { site: 'uk-primary', name: 'uk-1' };
      expect(() => ServerSpec.parse({ schemaVersion: 1, server, ...sections })).not.toThrow();
    }
  });
});
