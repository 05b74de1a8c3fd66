import { run } from './run';

export interface GoBuild {
  /** Folder with our own go.mod and go.sum, which pin the source that is built. */
  readonly module: string;
  readonly package: string;
  readonly output: string;
  /** Variables that the linker sets, as `import/path.Name=value`. */
  readonly set: readonly string[];
}

/** Builds one program from published modules; a source whose checksum is not in go.sum is refused. */
export async function goBuild({ module, package: pkg, output, set }: GoBuild): Promise<void> {
  const flags = ['-s', '-w', ...set.flatMap((assignment) => ['-X', assignment])];
  await run('go', ['build', '-trimpath', '-ldflags', flags.join(' '), '-o', output, pkg], {
    cwd: module,
    // A go.work or flags of the caller's must not decide what is built.
    env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=readonly -buildvcs=false', GOWORK: 'off' },
  });
}
