/** What of the data can be had back, and having it back. */
import type { Command } from 'commander';
import type { PublishListing } from '../../infra/contract/agent-api';
import { deployment } from './commands-control';
import { RefusedError, UnreachableError, describe } from './errors';
import { observe } from './overview';
import { duration, table } from './table';

export function addDataCommands(root: Command): void {
  root
    .command('publishes')
    .description('the publishes that the store has: what the data can be brought back to')
    .option('--json', 'as JSON')
    .action(publishes);
  root
    .command('restore')
    .description(
      "bring the service's data back to an earlier publish; what is there before is published first",
    )
    .requiredOption('--at <time|publish>', 'a publish, or a time: then the newest publish up to it')
    .requiredOption('--by <name>', 'who decides; recorded')
    .requiredOption('--reason <text>', 'why; recorded')
    .action(restore);
}

/** Any site can say: they read the same store. */
async function publishes(options: { json?: boolean }, command: Command): Promise<void> {
  const { sites } = await deployment(command);
  const failed: string[] = [];
  for (const site of sites) {
    try {
      const found = await site.publishes();
      process.stdout.write(`${options.json === true ? JSON.stringify(found) : renderPublishes(found)}\n`);
      return;
    } catch (error) {
      failed.push(describe(error));
    }
  }
  throw new UnreachableError(`no site could say what the store has: ${failed.join('; ')}`);
}

async function restore(
  options: { readonly at: string; readonly by: string; readonly reason: string },
  command: Command,
): Promise<void> {
  const { context, sites, leases } = await deployment(command);
  const overview = await observe(context, sites, leases);
  const holder = sites.find(({ site }) => site.site === overview.active);
  if (holder === undefined) {
    throw new RefusedError('the data is brought back on the site that holds the lease, and none does', {
      reasons: overview.findings,
      next: ['nobody serves? `failover promote --site …` gives the lease to a site'],
    });
  }
  const started = Date.now();
  const info = await holder.restore(options);
  process.stdout.write(
    `${info.points} points are back after ${duration((Date.now() - started) / 1000)}, published as ${info.id}; ` +
      'what was there before is the publish ahead of it in `failover publishes`.\n',
  );
}

export function renderPublishes(listings: readonly PublishListing[]): string {
  if (listings.length === 0) return 'The store has no publish yet.';
  return table([
    ['at', 'publish', 'site', 'epoch', 'points', 'MB', ''],
    ...listings.map(({ at, id, site, epoch, points, bytes, latest }) => [
      at,
      id,
      site,
      String(epoch),
      String(points),
      (bytes / 1e6).toFixed(1),
      latest ? 'latest' : '',
    ]),
  ]);
}
