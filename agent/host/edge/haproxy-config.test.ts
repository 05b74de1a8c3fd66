import { EdgeSpec } from '../../../infra/contract/site-spec';
import { edgePlaces, renderHaproxyConfig } from './haproxy-config';

const spec = EdgeSpec.parse({
  serviceHost: 'api.example.com',
  siteHost: 'uk.example.com',
  site: 'uk-primary',
  tls: { mode: 'files' },
  peer: { host: 'eu.example.com', addresses: ['203.0.113.20', '2001:db8::20'] },
  generationTimeoutSeconds: 1800,
});
const config = renderHaproxyConfig(spec, edgePlaces('/etc/failover/edge/ca.pem', true));

it('renders the whole configuration as it was reviewed', () => {
  expect(config).toMatchSnapshot();
});

it('holds no key, only the names of files that do', () => {
  expect(config.match(/\$\{EDGE_KEYS_DIRECTORY\}\/[\w.-]+/g)).toEqual(
    expect.arrayContaining([
      '${EDGE_KEYS_DIRECTORY}/edge-tls.pem',
      '${EDGE_KEYS_DIRECTORY}/edge-client-keys',
      '${EDGE_KEYS_DIRECTORY}/edge-upstream.map',
    ]),
  );
});

it('waits for a generation as long as one may take', () => {
  expect(config).toContain('timeout client 1800s');
  expect(config).toContain('timeout server 1800s');
});

it('checks the certificates of its peers by their name', () => {
  const peers = config.split('\n').filter((line) => /^ +server peer/.test(line));
  expect(peers).toHaveLength(2);
  for (const line of peers) {
    expect(line).toContain('ssl verify required ca-file /etc/failover/edge/ca.pem');
    expect(line).toContain('verifyhost eu.example.com');
  }
  expect(peers[1]).toContain('[2001:db8::20]:443');
});

it('listens on IPv6 only where there is any', () => {
  expect(config).toContain('bind [::]:443 v6only');
  expect(renderHaproxyConfig(spec, edgePlaces('/ca', false))).not.toContain('[::]');
});
