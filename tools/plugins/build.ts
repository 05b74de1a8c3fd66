/** Makes a plugin of our own: one file with everything in it, which the engine starts like any executable. */
import { build } from 'esbuild';
import { createHash } from 'node:crypto';
import { chmod, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { REPOSITORY } from '../cache';

/** Packages that end up in a plugin's one file. */
const BUNDLED = ['@grpc/grpc-js', '@pulumi/pulumi', 'bcryptjs', 'google-protobuf', 'ssh2', 'esbuild'];

/** Changes whenever the plugin's sources, or the packages that go into it, do. */
export async function sourceHash(name: string): Promise<string> {
  const digest = createHash('sha256').update(await bundledVersions());
  const files = [__filename, path.join(REPOSITORY, 'tools', 'versions.ts')];
  for (const folder of ['protocol', name]) {
    const names = await readdir(path.join(__dirname, folder));
    for (const file of names.sort()) if (isSource(file)) files.push(path.join(__dirname, folder, file));
  }
  for (const file of files) digest.update(await readFile(file)).update('\0');
  return digest.digest('hex').slice(0, 12);
}

async function bundledVersions(): Promise<string> {
  const lock = JSON.parse(await readFile(path.join(REPOSITORY, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, { readonly integrity?: string }>>;
  };
  return BUNDLED.map((name) => `${name} ${lock.packages[`node_modules/${name}`]?.integrity}`).join('\n');
}

function isSource(file: string): boolean {
  return /\.(ts|py)$/.test(file) && !file.endsWith('.test.ts');
}

/** Writes `pulumi-resource-<name>` into a folder. */
export async function buildPlugin(name: string, folder: string): Promise<void> {
  await bundle(path.join(__dirname, name, 'main.ts'), path.join(folder, `pulumi-resource-${name}`));
}

/** Makes one executable of a program and all that it imports. */
export async function bundle(entry: string, executable: string): Promise<void> {
  await build({
    entryPoints: [entry],
    outfile: executable,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    banner: { js: '#!/usr/bin/env node' },
    // Both are optional accelerators that their users do without.
    external: ['cpu-features', '*.node'],
    logLevel: 'silent',
  });
  await chmod(executable, 0o755);
}
