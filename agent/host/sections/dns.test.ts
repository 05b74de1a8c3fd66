import type { DnsSpec, ServerSpec } from '../../../infra/contract/site-spec';
import { fullDocument, SECRETS } from '../testing/documents';
import { dnsOf, World } from '../testing/world';

const CONFIG = '/etc/failover/dns/pdns.conf';
const { dns } = fullDocument({ certificate: 'c', privateKey: 'k' });
const { tsigName: _tsigName, ...copy } = dns!;

const documentOf = (changes: Partial<DnsSpec> = {}): ServerSpec => ({
  schemaVersion: 1,
  server: { site: 'uk-primary', name: 'uk-1' },
  dns: { ...copy, listen: ['203.0.113.10'], ...changes },
});
function worldFor(document: ServerSpec, ...addresses: string[]): World {
  const world = new World(() => dnsOf(document, SECRETS['tsig-key']));
  world.host.addresses = ['127.0.0.1', ...addresses];
  return world;
}
/** A local resolver, as most distributions have it. */
const RESOLVED = {
  protocol: 'udp',
  port: 53,
  address: '127.0.0.53',
  pid: 7,
  command: 'systemd-resolve',
  unit: 'systemd-resolved.service',
} as const;

describe('the nameserver of a site', () => {
  it('listens at the site’s own addresses only, beside a local resolver', async () => {
    const document = documentOf({ listen: ['203.0.113.10', '2001:db8::10'] });
    const world = worldFor(document, '203.0.113.10', '2001:db8::10');
    world.host.listening = [RESOLVED];
    await world.apply(document);
    expect(world.host.text(CONFIG)).toContain('local-address=203.0.113.10, 2001:db8::10\n');
  });

  it('needs no key, and takes no updates', async () => {
    const document = documentOf();
    const world = worldFor(document, '203.0.113.10');
    await world.apply(document);
    expect(world.host.text(CONFIG)).toContain('dnsupdate=no\n');
    expect(world.lines.join('\n')).toContain('wrote the zones example.com');
    expect(world.lines.join('\n')).not.toContain('_acme-challenge');
    expect(await world.apply(document)).toBe(0);
  });

  it('listens everywhere where its address is the network’s, and then not beside a local resolver', async () => {
    const document = documentOf();
    const world = worldFor(document, '10.0.0.5');
    await world.apply(document);
    expect(world.host.text(CONFIG)).toContain('local-address=0.0.0.0\n');
    const other = worldFor(document, '10.0.0.5');
    other.host.listening = [RESOLVED];
    await expect(other.apply(document)).rejects.toThrow(/udp port 53 .* systemd-resolved\.service/);
  });
});
