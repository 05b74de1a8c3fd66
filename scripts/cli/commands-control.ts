import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import { contextPath } from './commands-context';
import { loadContext, siteOf, type OperatorContext } from './context';
import { EXIT, RefusedError, UnreachableError, describe } from './errors';
import { failback } from './failback';
import { renderHistory } from './history-text';
import { StoreLeaseReader } from './lease-store';
import { MAX_VETO_SECONDS } from '../../infra/contract/agent-api';
import { number, seconds } from './option-values';
import { observe } from './overview';
import { SiteClient } from './site-client';
import { renderOverview } from './status-text';
import { duration } from './table';

export interface Deployment {
  readonly context: OperatorContext;
  readonly sites: readonly SiteClient[];
  readonly leases: StoreLeaseReader;
}

export async function deployment(command: Command): Promise<Deployment> {
  const context = await loadContext(contextPath(command));
  return {
    context,
    sites: context.sites.map((site) => new SiteClient(context, site)),
    leases: new StoreLeaseReader(context),
  };
}

interface ByWhom {
  readonly by: string;
  readonly reason: string;
}

export function addControlCommands(root: Command): void {
  root
    .command('status')
    .description('both sites, the lease, DNS, the age of the data, and who would lose what')
    .option('--json', 'as JSON')
    .option('--watch [seconds]', 'again and again')
    .option('--check', `exit ${EXIT.refused} unless this is the steady state`)
    .option('--wait <seconds>', 'as --check, once it is the steady state or so much time has passed')
    .action(status);
  byWhom(root.command('promote'))
    .description('give the lease to a site although its holder did not hand it over: what it lacks is lost')
    .requiredOption('--site <name>', 'the site to promote')
    .option('--accept-data-loss', 'go on although the data is older than the RPO; recorded with your name')
    .action(promote);
  byWhom(root.command('switch'))
    .description('planned: hand the lease to the other site, nothing lost')
    .action(plannedSwitch);
  byWhom(root.command('failback'))
    .description('bring the service home: re-protect, wait, switch; call it again after an interruption')
    .option('--site <name>', 'where to (default: the primary of the context)')
    .option('--wait <seconds>', 'how long to wait for the target to be fit', '3600')
    .action(failBack);
  byWhom(root.command('reprotect'))
    .description("have a fenced or empty site take the holder's data, without switching back")
    .requiredOption('--site <name>', 'the site to overwrite; its own diverged writes are set aside first')
    .action(reprotect);
  byWhom(root.command('veto'))
    .description("no switch but a person's for a while: agents that mean to switch stay as they are")
    .option('--for <time>', 'how long it holds, up to 24h', '30m')
    .option('--lift', 'end it now')
    .action(veto);
  root
    .command('history')
    .description('every change of holder: when, who, why, and any accepted loss')
    .option('--json', 'as JSON')
    .action(history);
}

function byWhom(command: Command): Command {
  return command
    .requiredOption('--by <name>', 'who decides; recorded')
    .requiredOption('--reason <text>', 'why; recorded');
}

interface StatusOptions {
  readonly json?: boolean;
  readonly watch?: string | boolean;
  readonly check?: boolean;
  readonly wait?: string;
}

async function status(options: StatusOptions, command: Command): Promise<void> {
  const { context, sites, leases } = await deployment(command);
  const everySeconds = typeof options.watch === 'string' ? Number(options.watch) : 2;
  const until = options.wait === undefined ? 0 : Date.now() + number('--wait', options.wait) * 1000;
  let told = '';
  for (;;) {
    const overview = await observe(context, sites, leases);
    if (overview.findings.length > 0 && Date.now() < until) {
      const reason = overview.findings.map((finding) => finding.message).join('; ');
      if (reason !== told) process.stderr.write(`waiting for the steady state: ${reason}\n`);
      told = reason;
      await delay(1_000);
      continue;
    }
    const clear = options.watch !== undefined && process.stdout.isTTY ? '\x1b[2J\x1b[H' : '';
    process.stdout.write(
      `${clear}${options.json === true ? JSON.stringify(overview) : renderOverview(overview)}\n`,
    );
    if (options.watch === undefined) {
      if ((options.check === true || options.wait !== undefined) && overview.findings.length > 0)
        process.exitCode = EXIT.refused;
      return;
    }
    await delay(everySeconds * 1000);
  }
}

async function promote(
  options: ByWhom & { site: string; acceptDataLoss?: boolean },
  command: Command,
): Promise<void> {
  const { context, sites } = await deployment(command);
  const target = clientOf(sites, siteOf(context, options.site).site);
  const answer = await target.promote({
    by: options.by,
    reason: options.reason,
    ...(options.acceptDataLoss === true ? { acceptDataLoss: true } : {}),
  });
  process.stdout.write(
    `${answer.holder} holds the lease, epoch ${answer.epoch}. DNS follows within its check and TTL; ` +
      'watch `failover status --watch`. The other site stays fenced until `failover failback`.\n',
  );
}

async function plannedSwitch(options: ByWhom, command: Command): Promise<void> {
  const { context, sites, leases } = await deployment(command);
  const overview = await observe(context, sites, leases);
  const holder = overview.active;
  if (holder === null) {
    throw new RefusedError('a planned switch needs one site that holds the lease', {
      reasons: overview.findings,
      next: ['nobody serves? `failover promote --site …` gives the lease to a site'],
    });
  }
  const started = Date.now();
  const answer = await clientOf(sites, holder).switch({ by: options.by, reason: options.reason });
  process.stdout.write(
    `${answer.holder} holds the lease, epoch ${answer.epoch}, after ${duration((Date.now() - started) / 1000)}; nothing was lost.\n`,
  );
}

async function failBack(options: ByWhom & { site?: string; wait: string }, command: Command): Promise<void> {
  const { context, sites } = await deployment(command);
  const target = siteOf(context, options.site ?? context.primary).site;
  const result = await failback(target, sites, {
    by: options.by,
    reason: options.reason,
    waitSeconds: number('--wait', options.wait),
    onStep: (step) => process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${step}\n`),
  });
  process.stdout.write(
    result.switched
      ? `${result.holder} holds the lease again, epoch ${result.epoch ?? 'unknown'}; nothing was lost.\n`
      : `${result.holder} holds the lease already${result.epoch === null ? '' : `, epoch ${result.epoch}`}: nothing to do.\n`,
  );
}

async function reprotect(options: ByWhom & { site: string }, command: Command): Promise<void> {
  const { context, sites } = await deployment(command);
  const target = clientOf(sites, siteOf(context, options.site).site);
  await target.reprotect({ by: options.by, reason: options.reason });
  const { status } = await target.status();
  process.stdout.write(
    `${options.site} is ${status.state}, with data ${duration(status.applied?.dataAgeSeconds)} old; \`failover failback\` brings the service there when wanted.\n`,
  );
}

/** Both sites are told: which of them would decide, the operator need not know. */
async function veto(options: ByWhom & { for: string; lift?: boolean }, command: Command): Promise<void> {
  const forSeconds = options.lift === true ? 0 : seconds('--for', options.for, MAX_VETO_SECONDS);
  const { sites } = await deployment(command);
  const request = { by: options.by, reason: options.reason, forSeconds };
  const outcomes = await Promise.allSettled(sites.map((site) => site.veto(request)));
  const failed = outcomes.flatMap((outcome) =>
    outcome.status === 'rejected' ? [outcome.reason as Error] : [],
  );
  const heeding = sites.filter((_site, index) => outcomes[index]?.status === 'fulfilled');
  const names = heeding.map((each) => each.site.site).join(' and ');
  for (const error of failed) process.stderr.write(`not told: ${describe(error)}\n`);
  if (heeding.length === 0) throw new UnreachableError('no site could be told: nothing is vetoed');
  process.stdout.write(
    forSeconds === 0
      ? `${names}: the veto is lifted.\n`
      : `${names}: no switch but a person's for ${duration(forSeconds)}. \`failover veto --lift\` ends it sooner.\n`,
  );
}

async function history(options: { json?: boolean }, command: Command): Promise<void> {
  const { leases } = await deployment(command);
  const entries = await leases.history();
  process.stdout.write(`${options.json === true ? JSON.stringify(entries) : renderHistory(entries)}\n`);
}

function clientOf(sites: readonly SiteClient[], name: string): SiteClient {
  const found = sites.find((site) => site.site.site === name);
  if (found === undefined) throw new UnreachableError(`the context knows no site ${name}`);
  return found;
}
