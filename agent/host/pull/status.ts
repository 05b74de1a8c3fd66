import { type AppliedState, type DesiredState, statusKey } from '../../../infra/contract/desired-state';
import { describeError } from '../../shared/errors';
import { hideSecrets } from '../hide-secrets';
import type { PullPorts } from './ports';
import { readPullState } from './state';

const MAX_ERROR_LENGTH = 4000;

export interface Outcome {
  readonly server: string;
  /** Null while the pointer could not be read. */
  readonly desired: DesiredState | null;
  /** Absent: all is as wanted. */
  readonly error?: unknown;
  /** Whatever of them an error may quote. */
  readonly secretValues: readonly string[];
}

/** What went wrong, in words that may leave the server. */
export function shownError({ error, secretValues }: Outcome): string | null {
  return error === undefined
    ? null
    : hideSecrets(describeError(error), secretValues).slice(0, MAX_ERROR_LENGTH);
}

export async function writeStatus({ host, objects, now }: PullPorts, outcome: Outcome): Promise<void> {
  const { server, desired } = outcome;
  const applied = await readPullState(host);
  const error = shownError(outcome);
  const status: AppliedState = {
    schemaVersion: 1,
    server,
    bundle: applied?.bundle ?? null,
    spec: applied?.spec ?? null,
    secretVersions: applied?.secretVersions ?? {},
    appliedAt: applied?.appliedAt ?? null,
    checkedAt: now().toISOString(),
    wanted: desired === null ? null : { bundle: desired.bundle.sha256, spec: desired.spec.sha256 },
    ok: error === null,
    error,
  };
  await objects.put(statusKey(server), JSON.stringify(status));
}
