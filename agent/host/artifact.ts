import type { ArtifactSpec } from '../../infra/contract/site-spec';
import type { Converger } from './converge';
import { ArtifactMismatchError } from './errors';
import { ensurePackages } from './packages';
import { ARTIFACTS_DIRECTORY, STATE_DIRECTORY } from './paths';

/** Path of the program on this server, checked against its hash; downloaded once where the spec gives an address. */
export async function ensureArtifact(
  converger: Converger,
  artifact: ArtifactSpec,
  name: string,
): Promise<string> {
  const { host } = converger;
  if (artifact.kind === 'path') {
    const actual = await host.sha256(artifact.path);
    if (actual === null) {
      throw new ArtifactMismatchError(
        `${converger.section} needs the program ${artifact.path}, which is not on this server: put it there`,
      );
    }
    if (artifact.sha256 !== undefined && actual !== artifact.sha256) {
      throw new ArtifactMismatchError(
        `${artifact.path} should have SHA-256 ${artifact.sha256} and has ${actual}: install the pinned version`,
      );
    }
    return artifact.path;
  }
  const folder = `${ARTIFACTS_DIRECTORY}/${name}-${artifact.sha256.slice(0, 12)}`;
  const program = `${folder}/${name}`;
  await converger.directory(STATE_DIRECTORY);
  await converger.directory(ARTIFACTS_DIRECTORY);
  await converger.tree(folder, 0o755, { uid: 0, gid: 0 });
  // The program appears under its name only once it was checked, so that its presence is proof enough.
  if ((await host.stat(program)) !== null) return program;
  const download = `${folder}/download`;
  await host.download(artifact.url, download, 0o755);
  const actual = await host.sha256(download);
  if (actual !== artifact.sha256) {
    await host.removeFile(download);
    throw new ArtifactMismatchError(
      `${artifact.url} should have SHA-256 ${artifact.sha256} and has ${actual ?? 'no content'}: ` +
        'correct the pinned hash if the release was meant to change; otherwise do not use this file',
    );
  }
  if (artifact.url.endsWith('.bz2')) {
    await ensurePackages(converger, { names: ['bzip2'] });
    const unpacked = `${folder}/unpacked`;
    const script = 'bzip2 --decompress --stdout "$1" > "$2" && chmod 755 "$2"';
    await converger.command('sh', ['-c', script, 'sh', download, unpacked], {
      what: `decompressing ${artifact.url}`,
    });
    await host.rename(unpacked, program);
    await host.removeFile(download);
  } else if (artifact.member !== undefined) {
    await converger.command('tar', ['-xzf', download, '-C', folder, artifact.member], {
      what: `unpacking ${artifact.member} of ${artifact.url}`,
    });
    await host.setAttributes(`${folder}/${artifact.member}`, 0o755, { uid: 0, gid: 0 });
    await host.rename(`${folder}/${artifact.member}`, program);
    await host.removeFile(download);
  } else {
    await host.rename(download, program);
  }
  converger.changed(`installed ${name} from ${artifact.url}`);
  return program;
}
