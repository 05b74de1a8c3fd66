import { ServerSpec } from '../../../infra/contract/site-spec';
import { installCertificate } from '../install-certificate';
import { remove } from '../remove';
import { fullDocument, makePair, SECRETS } from '../testing/documents';
import { ok } from '../testing/memory-host';
import { World } from '../testing/world';
import { ACME_LIVE_DIRECTORY } from './acme';

const first = makePair();
const second = makePair();
const full = fullDocument(first);
const document = ServerSpec.parse({
  schemaVersion: 1,
  server: full.server,
  credentials: {
    'client-key': SECRETS['client-key'],
    'qdrant-key': SECRETS['qdrant-key'],
    'vllm-key': SECRETS['vllm-key'],
    'tsig-key': SECRETS['tsig-key'],
  },
  edge: {
    ...full.edge,
    tls: {
      mode: 'acme',
      directoryUrl: 'https://acme.example.com/directory',
      email: 'ops@example.com',
      names: ['api.example.com', 'uk.example.com'],
      dnsServer: 'witness.example.com',
      tsigName: 'acme',
    },
  },
});
const PEM = '/etc/failover/credentials/edge-tls.pem';

/** A server on which starting the unit does what certbot and the unit's last step do. */
function acmeWorld(pair: { certificate: string; privateKey: string } | null): World {
  const world = new World(() => null);
  const { host } = world;
  ['certbot', 'python3-certbot-dns-rfc2136'].forEach((name) => host.apt.available.add(name));
  host.handlers.set('getent', () => ok('192.0.2.53      STREAM witness.example.com\n'));
  host.handlers.set('systemctl', (args) => {
    if (args[0] !== 'start' || args[1] !== 'failover-acme.service') return undefined;
    if (pair !== null) host.put(PEM, `${pair.certificate}${pair.privateKey}`, 0o600);
    return ok();
  });
  return world;
}
const obtain = (world: World, pair: { certificate: string; privateKey: string }): void => {
  world.host.put(`${ACME_LIVE_DIRECTORY}/fullchain.pem`, pair.certificate);
  world.host.put(`${ACME_LIVE_DIRECTORY}/privkey.pem`, pair.privateKey);
};
const log = { change: (): void => undefined };

it('obtains the first certificate before it starts the edge, and none the second time', async () => {
  const world = acmeWorld(first);
  await world.apply(document);
  expect(world.lines.indexOf('edge: obtained the first certificate')).toBeGreaterThan(0);
  expect(world.lines.indexOf('edge: obtained the first certificate')).toBeLessThan(
    world.lines.indexOf('edge: started failover-edge.service'),
  );
  expect(await world.apply(document)).toBe(0);
});

it('gives certbot the key in a credential, with the address it asks for, and nowhere else', async () => {
  const world = acmeWorld(first);
  await world.apply(document);
  const settings = world.host.text('/etc/failover/credentials/acme-rfc2136.ini') ?? '';
  expect(settings).toContain('dns_rfc2136_server = 192.0.2.53\n');
  expect(settings).toContain(`dns_rfc2136_secret = ${SECRETS['tsig-key']}\n`);
  expect(world.host.text('/etc/systemd/system/failover-acme.service')).not.toContain(SECRETS['tsig-key']);
});

it('says what certbot said when there is no certificate', async () => {
  const world = acmeWorld(null);
  await expect(world.apply(document)).rejects.toThrow(/no certificate could be obtained[^]*the last line/);
});

it('takes a renewed certificate over and reloads the edge once', async () => {
  const world = acmeWorld(first);
  await world.apply(document);
  world.host.systemd.log.length = 0;
  obtain(world, second);
  expect(await installCertificate(world.host, log)).toBe(2);
  expect(world.host.systemd.log).toEqual(['reload failover-edge.service']);
  expect(world.host.text(PEM)).toContain(second.certificate.trim());
  expect(await installCertificate(world.host, log)).toBe(0);
  // The next apply finds all as it should be.
  expect(await world.apply(document)).toBe(0);
});

it('leaves nothing when the edge is removed', async () => {
  const world = acmeWorld(first);
  const before = world.host.picture();
  await world.apply(document);
  obtain(world, second);
  await installCertificate(world.host, log);
  await remove(world.host, 'edge', log);
  await remove(world.host, 'credentials', log);
  expect(world.host.picture()).toEqual(before);
});
