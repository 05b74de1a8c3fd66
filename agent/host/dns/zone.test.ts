import type { DnsSpec } from '../../../infra/contract/site-spec';
import { fullDocument } from '../testing/documents';
import { zonesOf } from './zone';

const atWitness = fullDocument({ certificate: 'c', privateKey: 'k' }).dns!;
/** What a site's server is told: the same, but where it listens, and without a key. */
function atSite(listen: string): DnsSpec {
  const { tsigName: _tsigName, ...shared } = atWitness;
  return { ...shared, listen: [listen] };
}
const SERVERS = [atWitness, atSite('203.0.113.10'), atSite('203.0.113.20')];

const contents = (spec: DnsSpec, name: string, type: string): string[] =>
  (zonesOf(spec)[0]?.records ?? [])
    .filter((each) => each.name === name && each.type === type)
    .map(({ content }) => content);

describe('the zone', () => {
  it('is the same on every nameserver', () => {
    const [first, ...others] = SERVERS.map((spec) => zonesOf(spec)[0]);
    expect(first?.records.length).toBeGreaterThan(0);
    for (const zone of others) expect(zone).toEqual(first);
  });

  it('names all nameservers with their addresses, each once, and the witness’s as its primary', () => {
    const hosts = ['witness.example.com', 'uk.example.com', 'eu.example.com'];
    expect(contents(atWitness, 'example.com', 'NS')).toEqual(hosts);
    expect(hosts.map((host) => contents(atWitness, host, 'A'))).toEqual([
      ['192.0.2.10'],
      ['203.0.113.10'],
      ['203.0.113.20'],
    ]);
    expect(contents(atWitness, 'example.com', 'SOA')).toEqual([
      expect.stringMatching(/^witness\.example\.com hostmaster\.example\.com /),
    ]);
  });

  it('sends those who ask for a challenge to the witness, which alone has it', () => {
    const challenges = ['api', 'uk', 'eu'].map((host) => `_acme-challenge.${host}.example.com`);
    for (const spec of SERVERS) {
      const delegations = challenges.map((name) => contents(spec, name, 'NS'));
      expect(delegations).toEqual(challenges.map(() => ['witness.example.com']));
    }
    const [first, ...others] = SERVERS.map((spec) => zonesOf(spec).slice(1));
    expect(first?.map(({ name, tsigName }) => [name, tsigName])).toEqual(
      challenges.map((name) => [name, 'acme']),
    );
    expect(first?.[0]?.records.filter(({ type }) => type === 'NS')).toHaveLength(1);
    expect(others).toEqual([[], []]);
  });

  it('delegates nothing where certificates come from files', () => {
    const { tsigName: _tsigName, ...spec } = { ...atWitness, challengeHosts: [] };
    expect(zonesOf(spec)).toHaveLength(1);
    expect(zonesOf(spec)[0]?.records.filter(({ name }) => name.startsWith('_acme'))).toEqual([]);
  });
});
