/** The real backup engine, where its executable is at hand, on folders of a test's own. */
import { existsSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CREDENTIALS } from '../../lease/testing/versitygw';
import { Restic } from '../snapshots/restic/command';
import { ResticParts } from '../snapshots/restic/parts';
import { Repository } from '../snapshots/restic/repository';
import { Transfers } from '../snapshots/transfers';
import { siteClock } from '../state/clock';
import { scratchFolder } from './scratch';

/** RESTIC_BIN, or what the toolchain has; undefined when there is neither. */
export function findRestic(): string | undefined {
  const named = process.env['RESTIC_BIN'];
  if (named !== undefined && named !== '') return named;
  const toolchain = join(process.env['FAILOVER_CACHE'] ?? resolve(__dirname, '../../../.cache'), 'toolchain');
  if (!existsSync(toolchain)) return undefined;
  return readdirSync(toolchain)
    .filter((name) => name.startsWith('restic-'))
    .map((name) => join(toolchain, name, 'restic'))
    .find((file) => existsSync(file));
}

export interface TestRestic {
  readonly restic: Restic;
  readonly repository: Repository;
  readonly parts: ResticParts;
  readonly transfers: Transfers;
  /** Where the parts' own folders are. */
  readonly root: string;
}

export function testRestic(
  site: string,
  store: { readonly endpoint: string; readonly bucket: string },
  options: {
    readonly program: string;
    readonly root?: string;
    readonly key?: string;
    readonly maxMbitPerSecond?: number;
  },
): TestRestic {
  const folder = mkdtempSync(join(scratchFolder(), `restic-${site}-`));
  const keyFile = join(folder, 'repository-key');
  writeFileSync(keyFile, options.key ?? 'repository-secret', { mode: 0o600 });
  const restic = new Restic({
    ...store,
    region: 'us-east-1',
    account: CREDENTIALS,
    program: options.program,
    keyFile,
    cacheFolder: join(folder, 'cache'),
    maxMbitPerSecond: options.maxMbitPerSecond ?? 0,
  });
  const root = options.root ?? join(folder, 'parts');
  const repository = new Repository(restic, site);
  const transfers = new Transfers(siteClock(), () => undefined);
  return { restic, repository, parts: new ResticParts(repository, root, transfers), root, transfers };
}
