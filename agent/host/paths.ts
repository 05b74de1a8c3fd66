/** Every path on a server that is ours. */
export { AGENT_STATE_DIRECTORY, QDRANT_DIRECTORY } from '../../infra/contract/server-paths';
export const CONFIG_DIRECTORY = '/etc/failover';
export const CREDENTIALS_DIRECTORY = '/etc/failover/credentials';
export const STATE_DIRECTORY = '/var/lib/failover';
export const JOURNAL_PATH = '/var/lib/failover/journal.json';
export const STAMPS_DIRECTORY = '/var/lib/failover/stamps';
export const LOCK_PATH = '/run/failover-apply.lock';
export const UNIT_DIRECTORY = '/etc/systemd/system';
export const BUNDLE_PATH = '/opt/failover/current/failover-agent.js';
export const RELEASES_DIRECTORY = '/opt/failover/releases';
export const CURRENT_RELEASE_PATH = '/opt/failover/current';
export const PULL_STATE_PATH = '/var/lib/failover/pull.json';
export const ARTIFACTS_DIRECTORY = '/var/lib/failover/artifacts';
export const AGENT_CONFIG_PATH = '/etc/failover/agent.json';
export const OBJECT_STORE_DIRECTORY = '/var/lib/failover-objectstore';
export const DNS_DIRECTORY = '/var/lib/failover-dns';
export const VLLM_STATE_DIRECTORY = '/var/lib/failover-vllm';
export const ACME_DIRECTORY = '/var/lib/failover-acme';
export const NODE_PATH = '/usr/bin/node';

export const credentialPath = (name: string): string => `${CREDENTIALS_DIRECTORY}/${name}`;
export const unitPath = (unit: string): string => `${UNIT_DIRECTORY}/${unit}`;
