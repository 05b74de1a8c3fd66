/**
 * The provider plugins in the engine's home: the vendor's where the vendor can be reached, else our own, which speak
 * the same protocol and behave the same. `COMMAND_PLUGIN` and `RANDOM_PLUGIN` (`vendor` or `own`) insist on one.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { progress, withLock } from '../cache';
import { DownloadFailedError, fetchBytes } from '../download';
import type { Engine } from '../engine';
import { CommandFailedError, run } from '../run';
import { VERSIONS, type PluginName } from '../versions';
import { buildPlugin, sourceHash } from './build';

export type PluginChoice = 'vendor' | 'own' | 'any';

/** `COMMAND_PLUGIN` or `RANDOM_PLUGIN` has a value that means nothing. */
export class PluginChoiceError extends Error {
  readonly code = 'PLUGIN_CHOICE';
  constructor(variable: string, value: string) {
    super(
      `${variable} must be \`vendor\` or \`own\`, got \`${value}\`; unset it to take whichever can be had`,
    );
    this.name = 'PluginChoiceError';
  }
}

/** The vendor's plugin was insisted on and could not be installed. */
export class VendorPluginUnavailableError extends Error {
  readonly code = 'VENDOR_PLUGIN_UNAVAILABLE';
  constructor(name: PluginName, reason: string) {
    super(
      `the vendor's ${name} plugin ${VERSIONS.plugins[name]} could not be installed: ${reason}. ` +
        `Install it with \`pulumi plugin install resource ${name} ${VERSIONS.plugins[name]} --file <its tarball>\`, ` +
        `or unset ${variableOf(name)} to use our own`,
    );
    this.name = 'VendorPluginUnavailableError';
  }
}

/** Installs every plugin that is missing, or whose sources changed. */
export async function ensurePlugins(engine: Engine): Promise<void> {
  for (const name of Object.keys(VERSIONS.plugins) as PluginName[]) await ensurePlugin(engine, name);
}

async function ensurePlugin(engine: Engine, name: PluginName): Promise<void> {
  const choice = choiceOf(name, process.env[variableOf(name)]);
  const own = `own-${await sourceHash(name)}`;
  if (isSettled(await originOf(engine, name), choice, own)) return;
  await withLock(`plugin-${name}`, `installing the ${name} plugin`, async () => {
    if (isSettled(await originOf(engine, name), choice, own)) return;
    if (choice !== 'own') {
      const refusal = await installVendors(engine, name);
      if (refusal === undefined) return;
      if (choice === 'vendor') throw new VendorPluginUnavailableError(name, refusal);
      progress(`the vendor's ${name} plugin: ${refusal}`);
    }
    progress(`building our own ${name} plugin`);
    await installOwn(engine, name, own);
  });
}

/** Whether what is installed is what is wanted. Exported for tests. */
export function isSettled(origin: string | undefined, choice: PluginChoice, own: string): boolean {
  if (choice === 'vendor') return origin === 'vendor';
  if (choice === 'own') return origin === own;
  return origin === 'vendor' || origin === own;
}

/** Exported for tests. */
export function choiceOf(name: PluginName, value: string | undefined): PluginChoice {
  if (value === undefined || value === '') return 'any';
  if (value === 'vendor' || value === 'own') return value;
  throw new PluginChoiceError(variableOf(name), value);
}

function variableOf(name: PluginName): string {
  return `${name.toUpperCase()}_PLUGIN`;
}

function pluginFolder(engine: Engine, name: PluginName): string {
  return path.join(engine.home, 'plugins', `resource-${name}-v${VERSIONS.plugins[name]}`);
}

/** Says where an installed plugin is from; the engine does not mind further files in a plugin's folder. */
const ORIGIN = 'failover-origin';

/** Undefined where none is installed; one without a note was installed by hand, so it is the vendor's. */
async function originOf(engine: Engine, name: PluginName): Promise<string | undefined> {
  const folder = pluginFolder(engine, name);
  const note = await readIfThere(path.join(folder, ORIGIN));
  if (note !== undefined) return note.trim();
  return (await readIfThere(path.join(folder, `pulumi-resource-${name}`))) === undefined
    ? undefined
    : 'vendor';
}

async function readIfThere(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}

/** Undefined when it worked, else the reason. A vendor that cannot be reached says so in a moment. */
async function installVendors(engine: Engine, name: PluginName): Promise<string | undefined> {
  const version = VERSIONS.plugins[name];
  try {
    await fetchBytes(`https://api.github.com/repos/pulumi/pulumi-${name}/releases/tags/v${version}`);
    await run(engine.pulumi, ['plugin', 'install', 'resource', name, version, '--reinstall'], {
      env: engine.env,
      timeoutMs: 300_000,
    });
  } catch (error) {
    if (error instanceof DownloadFailedError || error instanceof CommandFailedError) return error.message;
    throw error;
  }
  await writeFile(path.join(pluginFolder(engine, name), ORIGIN), 'vendor\n');
  return undefined;
}

async function installOwn(engine: Engine, name: PluginName, origin: string): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), `plugin-${name}-`));
  try {
    await buildPlugin(name, folder);
    await writeFile(path.join(folder, ORIGIN), `${origin}\n`);
    await run(
      engine.pulumi,
      ['plugin', 'install', 'resource', name, VERSIONS.plugins[name], '--reinstall', '--file', folder],
      { env: engine.env, timeoutMs: 120_000 },
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
