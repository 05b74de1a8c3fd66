/** The backup engine that keeps the publishes: restic. */
import { chmod, mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { ensureArtifact } from '../cache';
import { downloadVerified } from '../download';
import { goBuild } from '../go';
import { run } from '../run';
import { VERSIONS } from '../versions';
import { firstThatWorks } from '../ways';

/** Answers the executable: the vendor's release, or built from published modules. */
export async function ensureRestic(): Promise<string> {
  const folder = await ensureArtifact(
    `restic-${VERSIONS.restic}`,
    `getting restic ${VERSIONS.restic} (about 2 min where it has to be built)`,
    (target) =>
      firstThatWorks(
        `restic ${VERSIONS.restic}`,
        [
          { name: "the vendor's release", take: () => fromVendor(target) },
          { name: 'published Go modules', take: () => fromGoModules(target) },
        ],
        'Install Go 1.25 or newer.',
      ),
  );
  return path.join(folder, 'restic');
}

async function fromVendor(target: string): Promise<void> {
  const name = `restic_${VERSIONS.restic}_${process.platform}_${process.arch === 'arm64' ? 'arm64' : 'amd64'}`;
  const release = `https://github.com/restic/restic/releases/download/v${VERSIONS.restic}`;
  const archive = path.join(target, `${name}.bz2`);
  await downloadVerified({
    url: `${release}/${name}.bz2`,
    checksumsUrl: `${release}/SHA256SUMS`,
    fileName: `${name}.bz2`,
    target: archive,
  });
  await run('sh', ['-c', 'bzip2 -dc "$1" > "$2"', 'sh', archive, path.join(target, 'restic')]);
  await chmod(path.join(target, 'restic'), 0o755);
  await rm(archive);
}

async function fromGoModules(target: string): Promise<void> {
  await mkdir(target, { recursive: true });
  await goBuild({
    module: path.join(__dirname, 'go-restic'),
    package: 'github.com/restic/restic/cmd/restic',
    output: path.join(target, 'restic'),
    set: [],
  });
}
