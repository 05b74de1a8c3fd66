/** What the daemon is told: its section of the site spec, and the credentials that systemd hands it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import {
  ALERT_CREDENTIALS,
  type CredentialNeeds,
  DNS_TOKEN,
  REPOSITORY_KEY,
} from '../../infra/contract/agent-credentials';
import type { AlertTargetKind } from '../../infra/contract/outward-spec';
import { SiteAgentSpec, type CredentialName } from '../../infra/contract/site-spec';
import { AgentError } from '../shared/errors';
import { messageOf } from './errors';

export class ConfigurationInvalidError extends AgentError {
  readonly code = 'CONFIGURATION_INVALID';
}

export interface Credentials {
  readonly operatorKey: string;
  readonly peerKey: string;
  readonly qdrantKey: string;
  readonly vllmKey: string;
  /** Absent where the instance's role opens the store. */
  readonly store?: { readonly accessKey: string; readonly secretKey: string };
  /** Where the agent moves a DNS record. */
  readonly dnsToken?: string;
  /** Key or address of each alert target. */
  readonly alerts?: Readonly<Partial<Record<AlertTargetKind, string>>>;
}

export async function readConfiguration(path: string): Promise<SiteAgentSpec> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw new ConfigurationInvalidError(
      `${path} cannot be read as JSON: ${messageOf(cause)}. Apply the stack again.`,
      {
        cause,
      },
    );
  }
  const parsed = SiteAgentSpec.safeParse(value);
  if (!parsed.success) {
    throw new ConfigurationInvalidError(
      `${path} is not an agent section: ${z.prettifyError(parsed.error)}. Apply the stack again.`,
    );
  }
  return parsed.data;
}

export async function readCredentials(folder: string, needs: CredentialNeeds): Promise<Credentials> {
  const read = async (name: CredentialName): Promise<string> => {
    const path = join(folder, name);
    let value: string;
    try {
      value = (await readFile(path, 'utf8')).trim();
    } catch (cause) {
      throw new ConfigurationInvalidError(
        `The credential ${path} cannot be read: ${messageOf(cause)}. Apply the stack again.`,
        {
          cause,
        },
      );
    }
    if (value === '')
      throw new ConfigurationInvalidError(`The credential ${path} is empty. Apply the stack again.`);
    return value;
  };
  // restic reads it from its file; that it is missing must not show at the first publish.
  await read(REPOSITORY_KEY);
  const alerts: Partial<Record<AlertTargetKind, string>> = {};
  for (const { kind } of needs.alerts?.targets ?? []) alerts[kind] = await read(ALERT_CREDENTIALS[kind]);
  return {
    alerts,
    operatorKey: await read('operator-key'),
    peerKey: await read('peer-key'),
    qdrantKey: await read('qdrant-key'),
    vllmKey: await read('vllm-key'),
    ...(needs.dnsRecord === undefined ? {} : { dnsToken: await read(DNS_TOKEN) }),
    ...(needs.store.credentials === 'instance'
      ? {}
      : { store: { accessKey: await read('store-access-key'), secretKey: await read('store-secret-key') } }),
  };
}
