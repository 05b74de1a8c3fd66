import type { Converger } from '../converge';
import type { HostPort } from '../port';

/** Which version serves: a link beside the versions, moved when the engine has answered from the new one. */
const servedLink = (folder: string): string => `${folder}/serving`;

/** Name of the version's folder; null before the first. */
export async function servedVersion(host: HostPort, folder: string): Promise<string | null> {
  return (await host.stat(servedLink(folder)))?.kind === 'symlink'
    ? host.readSymlink(servedLink(folder))
    : null;
}

export async function setServed({ host }: Converger, folder: string, version: string): Promise<void> {
  const next = `${servedLink(folder)}.next`;
  await host.removeFile(next);
  await host.makeSymlink(next, version);
  await host.rename(next, servedLink(folder));
}

/** The versions before are of use until this one serves, and no longer: they are as large as it is. */
export async function removeOtherVersions(
  converger: Converger,
  folder: string,
  version: string,
): Promise<void> {
  const others = (await converger.host.listDirectory(folder)).filter(
    (name) => /^[0-9a-f]{12}$/.test(name) && name !== version,
  );
  for (const name of others) {
    await converger.host.removeTree(`${folder}/${name}`);
    converger.changed(`removed the weights ${name}`);
  }
}
