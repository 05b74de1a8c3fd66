import type { DesiredState } from '../../../infra/contract/desired-state';
import { CREDENTIALS, type CredentialName, type CredentialsSpec } from '../../../infra/contract/site-spec';
import { keyLines } from '../../shared/key-lines';
import { SecretUnavailableError } from '../errors';
import type { SecretsPort } from './ports';

/** Keys that others present to us: the one before stays good for a while after a change. */
const OVERLAPPING: ReadonlySet<CredentialName> = new Set(['client-key', 'operator-key', 'peer-key']);
/** Long enough to change a client over, short enough that a leaked key dies. */
export const OVERLAP_HOURS = 24;

export type SecretVersions = Partial<Record<CredentialName, string[]>>;

export interface FetchedSecrets {
  readonly credentials: CredentialsSpec;
  readonly versions: SecretVersions;
}

export async function fetchSecrets(
  names: DesiredState['secrets']['names'],
  secrets: SecretsPort,
  now: Date,
): Promise<FetchedSecrets> {
  const credentials: CredentialsSpec = {};
  const versions: SecretVersions = {};
  await Promise.all(
    CREDENTIALS.map(async (name) => {
      const arn = names[name];
      if (arn === undefined) return;
      const current = await secrets.read(arn, 'AWSCURRENT');
      if (current === null)
        throw new SecretUnavailableError(`${arn}, the credential ${name}, has no value yet`);
      const young = now.getTime() - current.createdAt.getTime() < OVERLAP_HOURS * 3_600_000;
      const previous = OVERLAPPING.has(name) && young ? await secrets.read(arn, 'AWSPREVIOUS') : null;
      versions[name] = [current.versionId, ...(previous === null ? [] : [previous.versionId])];
      credentials[name] = previous === null ? current.value : bothKeys(current.value, previous.value);
    }),
  );
  // In their own order, whatever came first.
  const inOrder = (all: SecretVersions): SecretVersions =>
    Object.fromEntries(
      CREDENTIALS.filter((name) => all[name] !== undefined).map((name) => [name, all[name]]),
    );
  return { credentials, versions: inOrder(versions) };
}

/** One a line, the current first. */
function bothKeys(current: string, previous: string): string {
  return [...new Set([...keyLines(current), ...keyLines(previous)])].join('\n');
}
