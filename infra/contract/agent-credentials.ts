/** Which credentials the site agent needs: what its unit is lent, what the stack must hand over, what the agent reads. */
import type { AlertTargetKind } from './outward-spec';
import type { CredentialName, SiteAgentSpec } from './site-spec';

/** The agent hands the file on, not its content. */
export const REPOSITORY_KEY = 'repository-key' satisfies CredentialName;

const KEYS: readonly CredentialName[] = [
  'operator-key',
  'peer-key',
  'qdrant-key',
  'vllm-key',
  REPOSITORY_KEY,
];
const STORE_ACCOUNT: readonly CredentialName[] = ['store-access-key', 'store-secret-key'];

export const DNS_TOKEN: CredentialName = 'dns-token';
/** Address or key of each kind of alert target. */
export const ALERT_CREDENTIALS: Readonly<Record<AlertTargetKind, CredentialName>> = {
  pagerduty: 'alert-pagerduty-key',
  opsgenie: 'alert-opsgenie-key',
  slack: 'alert-slack-webhook',
  generic: 'alert-webhook',
};

export type CredentialNeeds = Pick<SiteAgentSpec, 'dnsRecord' | 'alerts'> & {
  readonly store: Pick<SiteAgentSpec['store'], 'credentials'>;
};

export function agentCredentials({ store, dnsRecord, alerts }: CredentialNeeds): readonly CredentialName[] {
  return [
    ...KEYS,
    ...(store.credentials === 'account' ? STORE_ACCOUNT : []),
    ...(dnsRecord === undefined ? [] : [DNS_TOKEN]),
    ...(alerts?.targets ?? []).map(({ kind }) => ALERT_CREDENTIALS[kind]),
  ];
}
