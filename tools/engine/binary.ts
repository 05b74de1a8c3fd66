/**
 * The engine's executables for the pinned version, by the first way in that works: one installed on PATH, the
 * vendor's release, or a build from published Go modules whose checksums this folder's go.sum files pin.
 */
import { chmod, copyFile, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { ensureArtifact, exists, progress, REPOSITORY } from '../cache';
import { DownloadFailedError, downloadVerified } from '../download';
import { CommandFailedError, run } from '../run';
import { VERSIONS } from '../versions';

/** No way to the engine worked. */
export class EngineUnavailableError extends Error {
  readonly code = 'ENGINE_UNAVAILABLE';
  constructor(reasons: readonly string[]) {
    super(
      `Pulumi ${VERSIONS.pulumi} could not be had: ${reasons.join('; ')}. ` +
        `Install that version so that \`pulumi version\` says v${VERSIONS.pulumi}, or install Go 1.25 or newer.`,
    );
    this.name = 'EngineUnavailableError';
  }
}

/** Answers the folder with `pulumi` and its language host. */
export async function ensureEngineBinary(): Promise<string> {
  const installed = await installedEngine();
  if (installed !== undefined) return installed;
  const folder = await ensureArtifact(
    `pulumi-${VERSIONS.pulumi}`,
    `getting the Pulumi engine ${VERSIONS.pulumi} (about 4 min where it has to be built)`,
    async (target) => {
      const reasons: string[] = ['no such version on PATH'];
      for (const [name, way] of [
        ["the vendor's release", fromVendor],
        ['published Go modules', fromGoModules],
      ] as const) {
        try {
          await way(target);
          return;
        } catch (error) {
          if (!(error instanceof DownloadFailedError) && !(error instanceof CommandFailedError)) throw error;
          progress(`${name}: ${error.message.split('\n')[0]}`);
          reasons.push(error.message);
        }
      }
      throw new EngineUnavailableError(reasons);
    },
  );
  return path.join(folder, 'bin');
}

/** Folder of an engine of exactly the pinned version that PATH has, with its language host beside it. */
async function installedEngine(): Promise<string | undefined> {
  for (const folder of (process.env['PATH'] ?? '').split(path.delimiter)) {
    const candidate = path.join(folder, 'pulumi');
    if (folder === '' || !(await exists(candidate))) continue;
    if (!(await exists(path.join(folder, 'pulumi-language-nodejs')))) continue;
    const version = await run(candidate, ['version'], {
      env: { ...process.env, PULUMI_SKIP_UPDATE_CHECK: 'true' },
      timeoutMs: 20_000,
    }).catch((error: unknown) => {
      if (error instanceof CommandFailedError) return '';
      throw error;
    });
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
  await goBuild('go-engine', 'github.com/pulumi/pulumi/pkg/v3/cmd/pulumi', path.join(bin, 'pulumi'));
  await goBuild(
    'go-language-host',
    'github.com/pulumi/pulumi/sdk/v3/nodejs/cmd/pulumi-language-nodejs',
    path.join(bin, 'pulumi-language-nodejs'),
  );
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

/** Builds one package of a module in this folder; `go.sum` beside it refuses any source that was changed. */
async function goBuild(module: string, pkg: string, output: string): Promise<void> {
  const versionVariable = 'github.com/pulumi/pulumi/sdk/v3/go/common/version.Version';
  await run(
    'go',
    [
      'build',
      '-trimpath',
      '-ldflags',
      `-s -w -X ${versionVariable}=v${VERSIONS.pulumi}`,
      ...['-o', output, pkg],
    ],
    {
      cwd: path.join(REPOSITORY, 'tools', 'engine', module),
      env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=readonly -buildvcs=false', GOWORK: 'off' },
    },
  );
}
