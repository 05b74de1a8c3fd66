/** What of the data can be had back, and having it back. */
import type { Command } from 'commander';
import type { PublishListing, RestoreTestVerdict } from '../../infra/contract/agent-api';
import { deployment } from './commands-control';
import { EXIT, RefusedError, UnreachableError, describe } from './errors';
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
  root
    .command('restore-test')
    .description('have the standby bring a publish of the history back beside its data, and compare it')
    .action(restoreTest);
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

/** A test that failed is what it was asked for, and yet nothing that should pass unseen. */
async function restoreTest(_options: unknown, command: Command): Promise<void> {
  const { context, sites, leases } = await deployment(command);
  const overview = await observe(context, sites, leases);
  const standby = sites.find(({ site }) =>
    overview.sites.some((view) => view.site === site.site && view.status?.state === 'standby'),
  );
  if (standby === undefined) {
    throw new RefusedError('restores are tested on the site that stands by, and none does', {
      reasons: overview.findings,
      next: ['`failover status` says what is wrong'],
    });
  }
  const verdict = await standby.restoreTest();
  process.stdout.write(renderRestoreTest(standby.site.site, verdict));
  if (verdict.result === 'failed') process.exitCode = EXIT.objectiveMissed;
}

export function renderRestoreTest(site: string, verdict: RestoreTestVerdict): string {
  const { publishId, collection, result, details, points, bytes, seconds } = verdict;
  const what = `${collection} of ${publishId}`;
  const summary =
    result === 'passed'
      ? `${site} brought ${what} back from the store: ${points} points, ${(bytes / 1e6).toFixed(1)} MB, in ${duration(seconds)}, all as published.`
      : `${site} could not bring ${what} back from the store:`;
  return `${[summary, ...details.map((detail) => `  ${detail}`)].join('\n')}\n`;
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
