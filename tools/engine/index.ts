/**
 * The deployment engine, ready to run: the pinned executables, a home of their own for plugins and state, and an
 * environment that keeps the engine from calling out for updates or plugins.
 */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { cacheRoot } from '../cache';
import { ensurePlugins } from '../plugins';
import { VERSIONS } from '../versions';
import { ensureEngineBinary } from './binary';

export interface Engine {
  /** Absolute path of the executable. */
  readonly pulumi: string;
  /** PULUMI_HOME: plugins and the engine's own state. */
  readonly home: string;
  /** Environment to run it with: the caller's, with the engine's folder first on PATH. */
  readonly env: NodeJS.ProcessEnv;
}

/** Gets the engine and its provider plugins, building or installing what is missing. */
export async function ensureEngine(): Promise<Engine> {
  const engine = await ensureBareEngine();
  await ensurePlugins(engine);
  return engine;
}

/** The engine without plugins, for installing them. */
export async function ensureBareEngine(): Promise<Engine> {
  const bin = await ensureEngineBinary();
  const home = path.join(cacheRoot(), 'toolchain', `pulumi-home-${VERSIONS.pulumi}`);
  await mkdir(home, { recursive: true });
  return { pulumi: path.join(bin, 'pulumi'), home, env: engineEnvironment(bin, home) };
}

/** Exported for tests. */
export function engineEnvironment(bin: string, home: string): NodeJS.ProcessEnv {
  return {
    ...process.env,
    PATH: `${bin}${path.delimiter}${process.env['PATH'] ?? ''}`,
    PULUMI_HOME: home,
    PULUMI_SKIP_UPDATE_CHECK: 'true',
    // Missing plugins are an error that names them, not a download in the middle of a deployment.
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: 'true',
  };
}
