import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { agentCredentials, type CredentialNeeds } from '../../infra/contract/agent-credentials';
import { AlertsSpec, DnsRecordSpec } from '../../infra/contract/outward-spec';
import { readCredentials } from './configuration';
import { scratchFolder } from './testing/scratch';

const RECORD = {
  provider: 'cloudflare',
  zoneId: '0'.repeat(32),
  name: 'api.example.com',
  addresses: ['192.0.2.1'],
};
const NEEDS: CredentialNeeds = {
  store: { credentials: 'instance' },
  dnsRecord: DnsRecordSpec.parse(RECORD),
  alerts: AlertsSpec.parse({ targets: [{ kind: 'slack' }, { kind: 'opsgenie' }] }),
};

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(scratchFolder(), 'credentials-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('reads just what the unit is lent', async () => {
  const names = agentCredentials(NEEDS);
  for (const name of names) writeFileSync(join(folder, name), `value of ${name}\n`);
  expect(await readCredentials(folder, NEEDS)).toEqual({
    operatorKey: 'value of operator-key',
    peerKey: 'value of peer-key',
    qdrantKey: 'value of qdrant-key',
    vllmKey: 'value of vllm-key',
    dnsToken: 'value of dns-token',
    alerts: { slack: 'value of alert-slack-webhook', opsgenie: 'value of alert-opsgenie-key' },
  });
  expect(names).toHaveLength(8);
});

it.each(agentCredentials(NEEDS))('refuses to start without %s, which is configured', async (missing) => {
  for (const name of agentCredentials(NEEDS)) writeFileSync(join(folder, name), 'value');
  rmSync(join(folder, missing));
  await expect(readCredentials(folder, NEEDS)).rejects.toThrow(new RegExp(`${missing} cannot be read`));
});

it('needs the account of the store unless the instance has a role, and nothing for what is not configured', () => {
  expect(agentCredentials({ store: { credentials: 'account' } })).toEqual([
    'operator-key',
    'peer-key',
    'qdrant-key',
    'vllm-key',
    'repository-key',
    'store-access-key',
    'store-secret-key',
  ]);
});

it.each(['http://api.example.com', 'ftp://127.0.0.1/', 'http://127.0.0.1.example.com/'])(
  'refuses to send a token to %s',
  (apiUrl) => {
    expect(DnsRecordSpec.safeParse({ ...RECORD, apiUrl }).success).toBe(false);
  },
);

it('refuses two targets of one kind, which have one credential', () => {
  expect(AlertsSpec.safeParse({ targets: [{ kind: 'slack' }, { kind: 'slack' }] }).success).toBe(false);
});
