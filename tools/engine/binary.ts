/**
 * The engine's executables for the pinned version, by the first way in that works: one installed on PATH, the
 * vendor's release, or a build from published Go modules whose checksums this folder's go.sum files pin.
 */
import { chmod, copyFile, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { ensureArtifact, exists, progress } from '../cache';
import { downloadVerified } from '../download';
import { goBuild } from '../go';
import { run } from '../run';
import { VERSIONS } from '../versions';
import { answerOf, firstThatWorks } from '../ways';
import { withPolicyPacks } from './language-proxy';

/** Answers the folder with `pulumi` and its language host. */
export async function ensureEngineBinary(): Promise<string> {
  const installed = await installedEngine();
  if (installed !== undefined) return installed;
  const folder = await ensureArtifact(
    `pulumi-${VERSIONS.pulumi}`,
    `getting the Pulumi engine ${VERSIONS.pulumi} (about 4 min where it has to be built)`,
    (target) =>
      firstThatWorks(
        `Pulumi ${VERSIONS.pulumi}`,
        [
          { name: "the vendor's release", take: () => fromVendor(target) },
          { name: 'published Go modules', take: () => fromGoModules(target) },
        ],
        `Install that version so that \`pulumi version\` says v${VERSIONS.pulumi}, or install Go 1.25 or newer.`,
      ),
  );
  const bin = path.join(folder, 'bin');
  return (await isVendors(bin)) ? bin : withPolicyPacks(bin);
}

/** The vendor's release has the hosts of every language; what is built has Node's only. */
async function isVendors(bin: string): Promise<boolean> {
  return exists(path.join(bin, 'pulumi-language-python'));
}

/** Folder of an engine of exactly the pinned version that PATH has, with its language host beside it. */
async function installedEngine(): Promise<string | undefined> {
  for (const folder of (process.env['PATH'] ?? '').split(path.delimiter)) {
    const candidate = path.join(folder, 'pulumi');
    if (folder === '' || !(await exists(candidate))) continue;
    if (!(await exists(path.join(folder, 'pulumi-language-nodejs')))) continue;
    const version = await answerOf(
      run(candidate, ['version'], {
        env: { ...process.env, PULUMI_SKIP_UPDATE_CHECK: 'true' },
        timeoutMs: 20_000,
      }),
    );
    if (version.trim() === `v${VERSIONS.pulumi}`) return folder;
  }
  return undefined;
}

async function fromVendor(target: string): Promise<void> {
  const system = process.platform === 'darwin' ? 'darwin' : 'linux';
  const fileName = `pulumi-v${VERSIONS.pulumi}-${system}-${process.arch === 'arm64' ? 'arm64' : 'x64'}.tar.gz`;
  const archive = path.join(target, fileName);
  const release = `https://github.com/pulumi/pulumi/releases/download/v${VERSIONS.pulumi}`;
  await downloadVerified({
    url: `https://get.pulumi.com/releases/sdk/${fileName}`,
    checksumsUrl: `${release}/pulumi-${VERSIONS.pulumi}-checksums.txt`,
    fileName,
    target: archive,
  });
  const bin = path.join(target, 'bin');
  await mkdir(bin);
  await run('tar', ['-xzf', archive, '-C', bin, '--strip-components=1']);
}

async function fromGoModules(target: string): Promise<void> {
  const bin = path.join(target, 'bin');
  await mkdir(bin);
  progress(`building the Pulumi engine ${VERSIONS.pulumi} from published Go modules`);
  const set = [`github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v${VERSIONS.pulumi}`];
  await goBuild({
    module: path.join(__dirname, 'go-engine'),
    package: 'github.com/pulumi/pulumi/pkg/v3/cmd/pulumi',
    output: path.join(bin, 'pulumi'),
    set,
  });
  await goBuild({
    module: path.join(__dirname, 'go-language-host'),
    package: 'github.com/pulumi/pulumi/sdk/v3/nodejs/cmd/pulumi-language-nodejs',
    output: path.join(bin, 'pulumi-language-nodejs'),
    set,
  });
  // Two launchers that the engine looks for beside its language host: dynamic providers and policy packs.
  const languageHostModule = (
    await run('go', ['list', '-m', '-f', '{{.Dir}}', 'github.com/pulumi/pulumi/sdk/v3'], {
      cwd: path.join(__dirname, 'go-language-host'),
    })
  ).trim();
  for (const launcher of ['pulumi-resource-pulumi-nodejs', 'pulumi-analyzer-policy']) {
    await copyFile(path.join(languageHostModule, 'nodejs', 'dist', launcher), path.join(bin, launcher));
    await chmod(path.join(bin, launcher), 0o755);
  }
}
