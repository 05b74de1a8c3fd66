/** The agent as one file, built at preview time so that what is deployed is what is checked out. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { buildSync } from 'esbuild';
import { FailoverError } from './errors';
import { PROJECT_FOLDER } from './paths';

export interface AgentBundle {
  /** The built file on this machine. */
  readonly path: string;
  readonly sha256: string;
  /** First twelve digits of `sha256`: the release's name on servers. */
  readonly release: string;
}

export class BundleBuildError extends FailoverError {
  constructor(message: string) {
    super('BUNDLE_BUILD_FAILED', message);
  }
}

export interface BundlePaths {
  readonly entry: string;
  readonly output: string;
}

const DEFAULT_PATHS: BundlePaths = {
  entry: join(PROJECT_FOLDER, 'agent', 'main.ts'),
  output: join(PROJECT_FOLDER, 'dist', 'failover-agent.js'),
};

function build({ entry, output }: BundlePaths): Uint8Array {
  try {
    const result = buildSync({
      entryPoints: [entry],
      outfile: output,
      // The same bytes wherever the checkout lies: paths in comments are relative to it.
      absWorkingDir: dirname(dirname(entry)),
      bundle: true,
      write: false,
      platform: 'node',
      target: 'node18', // Debian 12's
      format: 'cjs',
      // What node has to read and keep: a tenth of the agent's memory. Names stay, for stack traces.
      minifyWhitespace: true,
      minifySyntax: true,
      keepNames: true,
      legalComments: 'none',
      logLevel: 'silent',
    });
    const file = result.outputFiles[0];
    if (file === undefined) throw new BundleBuildError(`esbuild wrote nothing for ${entry}.`);
    return file.contents;
  } catch (error) {
    if (error instanceof BundleBuildError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new BundleBuildError(
      `the agent does not build: ${reason}. Run npx tsc --noEmit, and npm ci if a package is missing.`,
    );
  }
}

/** Stacks may be deployed side by side: none may ever see half a file, nor lose the one that it is copying. */
function writeIfChanged(path: string, contents: Uint8Array): void {
  if (existsSync(path) && readFileSync(path).equals(contents)) return;
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, contents);
  renameSync(temporary, path);
}

/**
 * Build the agent's bundle.
 * @throws BundleBuildError when the entry is missing or does not build.
 */
export function buildAgentBundle(paths: BundlePaths = DEFAULT_PATHS): AgentBundle {
  if (!existsSync(paths.entry))
    throw new BundleBuildError(
      `expected the agent's source at ${paths.entry}, and there is none. Check out the whole repository.`,
    );
  const contents = build(paths);
  writeIfChanged(paths.output, contents);
  const sha256 = createHash('sha256').update(contents).digest('hex');
  return { path: paths.output, sha256, release: sha256.slice(0, 12) };
}
