import { isDeepStrictEqual } from 'node:util';
import type { DesiredState } from '../../../infra/contract/desired-state';
import { SECTIONS } from '../../../infra/contract/site-spec';
import { ReleaseBrokenError } from '../errors';
import { readPointer, readSpec } from './desired';
import { type PullOptions, pullArguments } from './options';
import type { PullPorts } from './ports';
import { ensureRelease, releaseBundle, releaseName, switchRelease } from './release';
import { fetchSecrets } from './secrets';
import { type PullState, readPullState, writePullState } from './state';
import { shownError, writeStatus } from './status';
import { ensurePullUnits } from './units';

/** Exit status of a pull that failed and has said so in the bucket. */
export const FAILED_AND_TOLD = 75;
/** Each look at a secret costs; a changed pointer looks at once. */
export const SECRETS_EVERY_SECONDS = 300;
/** What somebody changed or stopped on the server is found by applying again what is in force. */
export const VERIFY_EVERY_SECONDS = 3600;

/** What one run learned, for its report. */
interface Run {
  desired: DesiredState | null;
  secretValues: string[];
}

/** Makes this server what its pointer says, and reports it. Returns the exit status; says on `fail` what went wrong. */
export async function pull(
  ports: PullPorts,
  options: PullOptions,
  fail: (text: string) => void,
): Promise<number> {
  const run: Run = { desired: null, secretValues: [] };
  let failure: { error: unknown } | null = null;
  try {
    const status = await converge(ports, options, run);
    if (status !== null) return status;
  } catch (error) {
    failure = { error };
  }
  const outcome = { server: options.server, ...run, ...failure };
  if (failure !== null) fail(shownError(outcome) ?? '');
  try {
    await writeStatus(ports, outcome);
  } catch (error) {
    fail(shownError({ ...outcome, error }) ?? '');
    return 1;
  }
  return failure === null ? 0 : FAILED_AND_TOLD;
}

/** The exit status where somebody else has reported, or there is nothing to report. */
async function converge(ports: PullPorts, options: PullOptions, run: Run): Promise<number | null> {
  const desired = await readPointer(ports.objects, options.server);
  run.desired = desired;
  if (desired.bundle.sha256 !== ports.self.sha256) return handOver(ports, options, desired);
  if (options.install) {
    await ports.withLock(async () => {
      await ensureRelease(ports, desired.bundle);
      await switchRelease(ports, desired.bundle.sha256);
      await ensurePullUnits(ports, options);
    });
    return 0;
  }
  await applyDesired(ports, options, desired, run);
  return null;
}

/**
 * The wanted release runs from its folder and makes itself the current one once it got as far as to apply: one that does
 * not even get there leaves this one in charge, which can take the next.
 */
async function handOver(ports: PullPorts, options: PullOptions, { bundle }: DesiredState): Promise<number> {
  await ports.withLock(() => ensureRelease(ports, bundle));
  const status = await ports.handOver(releaseBundle(bundle.sha256), ['pull', ...pullArguments(options)]);
  if (status === 0 || status === FAILED_AND_TOLD) return status;
  throw new ReleaseBrokenError(
    `pull of release ${releaseName(bundle.sha256)} ended with status ${status} and told nothing: ` +
      'look at the journal of failover-pull, mend the release and deploy again',
  );
}

async function applyDesired(
  ports: PullPorts,
  options: PullOptions,
  desired: DesiredState,
  run: Run,
): Promise<void> {
  const { host, objects, now } = ports;
  const state = await readPullState(host);
  const current =
    state !== null &&
    state.bundle === desired.bundle.sha256 &&
    state.spec === desired.spec.sha256 &&
    isRecent(state.appliedAt, VERIFY_EVERY_SECONDS, now());
  if (current && secretsAreFresh(state, desired, now())) return;
  const checkedAt = now();
  const secrets = await fetchSecrets(
    desired.secrets.names,
    ports.secretsIn(desired.secrets.region),
    checkedAt,
  );
  run.secretValues = Object.values(secrets.credentials);
  const sameSecrets = state !== null && isDeepStrictEqual(state.secretVersions, secrets.versions);
  if (current && sameSecrets) {
    await writePullState(host, { ...state, secretsCheckedAt: checkedAt.toISOString() });
    return;
  }
  const spec = await readSpec(objects, desired.spec, options.server);
  const { credentials } = secrets;
  // The pointer's spec is all of this server: what is not in it has no place here any more.
  const sections = SECTIONS.filter((section) => section === 'credentials' || spec[section] !== undefined);
  await ports.withLock(async () => {
    await ensureRelease(ports, desired.bundle);
    await switchRelease(ports, desired.bundle.sha256);
    await ensurePullUnits(ports, options);
    // By themselves, as a deployment by SSH does: edge and agent must not go on for the minutes that vLLM takes to start
    // with a key that Qdrant no longer knows.
    if (!sameSecrets) {
      const { schemaVersion, server } = spec;
      await ports.apply({ schemaVersion, server, credentials }, sections);
    }
    await ports.apply({ ...spec, credentials }, sections);
    await writePullState(host, {
      bundle: desired.bundle.sha256,
      spec: desired.spec.sha256,
      secretVersions: secrets.versions,
      appliedAt: now().toISOString(),
      secretsCheckedAt: checkedAt.toISOString(),
    });
  });
}

/** A clock that was set back must not stop anything from being looked at. */
function isRecent(moment: string, seconds: number, now: Date): boolean {
  const age = (now.getTime() - Date.parse(moment)) / 1000;
  return age >= 0 && age < seconds;
}

function secretsAreFresh(state: PullState, { secrets }: DesiredState, now: Date): boolean {
  const known = Object.keys(state.secretVersions).sort();
  return (
    isRecent(state.secretsCheckedAt, SECRETS_EVERY_SECONDS, now) &&
    isDeepStrictEqual(known, Object.keys(secrets.names).sort())
  );
}
