/** The object store of the witness in the lab: versitygw, S3 over a folder. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { ensureArtifact, exists } from '../cache';
import { downloadVerified } from '../download';
import { goBuild } from '../go';
import { run } from '../run';
import { VERSIONS } from '../versions';
import { answerOf, firstThatWorks } from '../ways';

/** Answers the executable: one of this version on PATH, the vendor's release, or built from published modules. */
export async function ensureVersitygw(): Promise<string> {
  const installed = await installedVersitygw();
  if (installed !== undefined) return installed;
  const folder = await ensureArtifact(
    `versitygw-${VERSIONS.versitygw}`,
    `getting versitygw ${VERSIONS.versitygw} (about 3 min where it has to be built)`,
    (target) =>
      firstThatWorks(
        `versitygw ${VERSIONS.versitygw}`,
        [
          { name: "the vendor's release", take: () => fromVendor(target) },
          { name: 'published Go modules', take: () => fromGoModules(target) },
        ],
        'Put that version on PATH, or install Go 1.25 or newer.',
      ),
  );
  return path.join(folder, 'versitygw');
}

async function installedVersitygw(): Promise<string | undefined> {
  for (const folder of (process.env['PATH'] ?? '').split(path.delimiter)) {
    const candidate = path.join(folder, 'versitygw');
    if (folder === '' || !(await exists(candidate))) continue;
    const told = await answerOf(run(candidate, ['--version'], { timeoutMs: 10_000 }));
    if (new RegExp(`^Version\\s*: v?${VERSIONS.versitygw.replaceAll('.', '\\.')}$`, 'm').test(told))
      return candidate;
  }
  return undefined;
}

async function fromVendor(target: string): Promise<void> {
  const system = process.platform === 'darwin' ? 'Darwin' : 'Linux';
  const name = `versitygw_v${VERSIONS.versitygw}_${system}_${process.arch === 'arm64' ? 'arm64' : 'x86_64'}`;
  const release = `https://github.com/versity/versitygw/releases/download/v${VERSIONS.versitygw}`;
  const archive = path.join(target, `${name}.tar.gz`);
  await downloadVerified({
    url: `${release}/${name}.tar.gz`,
    checksumsUrl: `${release}/checksums.txt`,
    fileName: `${name}.tar.gz`,
    target: archive,
  });
  await run('tar', ['-xzf', archive, '-C', target, '--strip-components=1']);
}

async function fromGoModules(target: string): Promise<void> {
  await mkdir(target, { recursive: true });
  await goBuild({
    module: path.join(__dirname, 'go-versitygw'),
    package: 'github.com/versity/versitygw/cmd/versitygw',
    output: path.join(target, 'versitygw'),
    set: [`main.Version=${VERSIONS.versitygw}`],
  });
}
