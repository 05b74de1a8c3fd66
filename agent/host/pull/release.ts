import { createHash } from 'node:crypto';
import type { DesiredState } from '../../../infra/contract/desired-state';
import { DesiredStateError } from '../errors';
import { CURRENT_RELEASE_PATH, RELEASES_DIRECTORY } from '../paths';
import type { HostPort } from '../port';
import type { ObjectsPort, PullPorts } from './ports';

const ROOT = { uid: 0, gid: 0 };

export const releaseName = (sha256: string): string => sha256.slice(0, 12);
const releaseFolder = (sha256: string): string => `${RELEASES_DIRECTORY}/${releaseName(sha256)}`;
export const releaseBundle = (sha256: string): string => `${releaseFolder(sha256)}/failover-agent.js`;
const linkTarget = (sha256: string): string => `releases/${releaseName(sha256)}`;

export async function fetchObject(
  objects: ObjectsPort,
  { key, sha256 }: DesiredState['bundle'],
): Promise<Buffer> {
  const content = await objects.get(key);
  const got = createHash('sha256').update(content).digest('hex');
  if (got === sha256) return content;
  throw new DesiredStateError(
    `${key} has SHA-256 ${got}: somebody changed it, and it is not used. Deploy again`,
  );
}

/** The bundle in its folder, as a deployment by SSH puts it; nothing runs it by that alone. */
export async function ensureRelease(
  { host, objects, self, log }: PullPorts,
  wanted: DesiredState['bundle'],
): Promise<void> {
  const file = releaseBundle(wanted.sha256);
  if ((await host.sha256(file)) === wanted.sha256) return;
  const content = wanted.sha256 === self.sha256 ? await self.read() : await fetchObject(objects, wanted);
  await host.makeDirectory(releaseFolder(wanted.sha256));
  await host.writeFile(file, content, 0o755, ROOT);
  log.change(`installed release ${releaseName(wanted.sha256)}`);
}

/** Makes it the one that units run, in one step, and keeps the one before. */
export async function switchRelease({ host, log }: PullPorts, sha256: string): Promise<void> {
  const target = linkTarget(sha256);
  const before = await currentTarget(host);
  if (before === target) return;
  const next = `${CURRENT_RELEASE_PATH}.new`;
  await host.removeFile(next);
  await host.makeSymlink(next, target);
  await host.rename(next, CURRENT_RELEASE_PATH);
  log.change(`release ${releaseName(sha256)} is the current one`);
  for (const name of await host.listDirectory(RELEASES_DIRECTORY)) {
    const old = `releases/${name}`;
    if (old !== target && old !== before) await host.removeTree(`${RELEASES_DIRECTORY}/${name}`);
  }
}

async function currentTarget(host: HostPort): Promise<string | null> {
  const info = await host.stat(CURRENT_RELEASE_PATH);
  return info?.kind === 'symlink' ? host.readSymlink(CURRENT_RELEASE_PATH) : null;
}
