/**
 * Gets everything that the project runs with: `npx ts-node --transpile-only tools/bootstrap.ts [engine|versitygw|restic|drill-python|all]`.
 * What is there already is left alone, so it can be run at any time.
 */
import { ensureDrillPython } from './artifacts/drill-runtimes';
import { ensureRestic } from './artifacts/restic';
import { ensureVersitygw } from './artifacts/versitygw';
import { cacheRoot, progress } from './cache';
import { ensureEngine } from './engine';
import { VERSIONS } from './versions';

const PARTS: Readonly<Record<string, () => Promise<void>>> = {
  engine: async () => {
    const engine = await ensureEngine();
    const plugins = Object.entries(VERSIONS.plugins).map(([name, version]) => `${name} ${version}`);
    progress(`Pulumi ${VERSIONS.pulumi}: ${engine.pulumi}`);
    progress(`plugins ${plugins.join(', ')}: ${engine.home}/plugins`);
  },
  versitygw: async () => progress(`versitygw ${VERSIONS.versitygw}: ${await ensureVersitygw()}`),
  restic: async () => progress(`restic ${VERSIONS.restic}: ${await ensureRestic()}`),
  'drill-python': async () => progress(`requests and httpx: ${await ensureDrillPython()}`),
};

async function main(wanted: readonly string[]): Promise<void> {
  const names = wanted.length === 0 || wanted.includes('all') ? Object.keys(PARTS) : wanted;
  const unknown = names.filter((name) => PARTS[name] === undefined);
  if (unknown.length > 0) {
    throw new Error(
      `no part is called ${unknown.join(', ')}; choose from ${Object.keys(PARTS).join(', ')}, all`,
    );
  }
  progress(`cache: ${cacheRoot()}`);
  for (const name of names) await PARTS[name]?.();
}

main(process.argv.slice(2)).catch((error: unknown) => {
  progress(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
});
