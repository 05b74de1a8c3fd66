import { open } from 'node:fs/promises';
import type { Command } from 'commander';
import { MERGE_POLICIES, type MergePolicy } from '../../infra/contract/agent-api';
import { deployment } from './commands-control';
import { RefusedError, UsageError, describe } from './errors';
import {
  findDiverged,
  linesOf,
  mergeSet,
  operationsOf,
  unmerged,
  type Conflict,
  type DivergedSet,
} from './merge';
import { observe } from './overview';
import type { SiteClient } from './site-client';
import { table } from './table';

/** Conflicts that are shown one by one; `--export` has all. */
const SHOWN_CONFLICTS = 50;

interface MergeFlags {
  readonly list?: boolean;
  readonly export?: string;
  readonly policy?: string;
  readonly epoch?: string;
  readonly site?: string;
  readonly by?: string;
  readonly reason?: string;
}

export function addMergeCommand(root: Command): void {
  root
    .command('merge')
    .description(
      "bring back the writes that only a lost holder had: set aside when it was re-protected, through the holder's write gateway",
    )
    .option('--list', 'what is set aside where, and what a merge would do now (default)')
    .option('--export <file>', 'the list as lines of JSON, with payloads and vectors')
    .option(
      '--policy <name>',
      'merge; where both sides changed a point: keep-holder leaves it, keep-diverged overwrites it',
    )
    .option('--epoch <n>', 'only what was set aside under this epoch (default: all that is not merged)')
    .option('--site <name>', 'only what this site has set aside')
    .option('--by <name>', 'who decides; recorded (with --policy)')
    .option('--reason <text>', 'why; recorded (with --policy)')
    .action(merge);
}

async function merge(flags: MergeFlags, command: Command): Promise<void> {
  const policy = policyOf(flags);
  const { context, sites, leases } = await deployment(command);
  const all = await findDiverged(sites, (error) => process.stderr.write(`not asked: ${describe(error)}\n`));
  const sets = chosen(all, flags);
  if (flags.export !== undefined) return exportTo(flags.export, sets);
  if (policy === 'list') process.stdout.write(`${renderSets(all)}\n`);
  if (sets.length === 0) {
    process.stdout.write('Nothing waits to be merged.\n');
    return;
  }
  const { active } = await observe(context, sites, leases);
  const holder = sites.find((site) => site.site.site === active);
  if (holder === undefined) {
    throw new RefusedError('a merge needs one site that holds the lease', {
      next: ['look at `failover status`; merge when one site is active'],
    });
  }
  for (const set of sets) await mergeOne(set, holder, policy, flags);
}

async function mergeOne(
  set: DivergedSet,
  holder: SiteClient,
  policy: MergePolicy,
  flags: MergeFlags,
): Promise<void> {
  const conflicts: Conflict[] = [];
  const { by = 'somebody who looks', reason = 'looking' } = flags;
  const outcome = await mergeSet(set, holder, {
    policy,
    by,
    reason,
    onConflict: (conflict) => conflicts.length < SHOWN_CONFLICTS && conflicts.push(conflict),
  });
  const name = `epoch ${set.summary.epoch} of ${set.at.site.site}`;
  const { applied, present, conflicts: count } = outcome;
  const what = {
    list: 'left as they are',
    'keep-holder': "the holder's kept",
    'keep-diverged': 'overwritten',
  }[policy];
  process.stdout.write(
    `${name} ${policy === 'list' ? 'would be merged' : 'is merged'} into ${holder.site.site}: ` +
      `${applied} ${policy === 'list' ? 'to apply' : 'applied'}, ${present} there already, ${count} conflicts${count === 0 ? '' : ` (${what})`}\n`,
  );
  for (const { collection, id, why } of conflicts)
    process.stdout.write(`  conflict  ${collection} ${id}: ${why}\n`);
  if (count > conflicts.length) process.stdout.write(`  and ${count - conflicts.length} more\n`);
}

async function exportTo(path: string, sets: readonly DivergedSet[]): Promise<void> {
  if (sets.length === 0) throw new RefusedError('there is nothing to export: nothing that fits is set aside');
  // Payloads of clients: readable by the operator alone.
  const file = await open(path, 'w', 0o600);
  let lines = 0;
  try {
    for (const set of sets) {
      for await (const page of linesOf(set)) {
        lines += page.length;
        await file.writeFile(page.map((line) => `${line}\n`).join(''));
      }
    }
    await file.sync();
  } finally {
    await file.close();
  }
  process.stdout.write(`${lines} operations in ${path}\n`);
}

function policyOf(flags: MergeFlags): MergePolicy {
  if (flags.policy === undefined) return 'list';
  const policy = MERGE_POLICIES.find((each) => each === flags.policy && each !== 'list');
  if (policy === undefined)
    throw new UsageError(`--policy wants keep-holder or keep-diverged, got ${flags.policy}`);
  if (flags.list === true || flags.export !== undefined)
    throw new UsageError('--policy merges; give it without --list and --export');
  if (flags.by === undefined || flags.reason === undefined)
    throw new UsageError('--policy needs --by and --reason: who decides is recorded');
  return policy;
}

/** An epoch that is named may be merged again: what is there already is left. */
function chosen(sets: readonly DivergedSet[], flags: MergeFlags): DivergedSet[] {
  const here = sets.filter(({ at }) => flags.site === undefined || at.site.site === flags.site);
  if (flags.epoch === undefined) return unmerged(here);
  const found = here.filter(
    ({ summary }) => String(summary.epoch) === flags.epoch && summary.counts !== null,
  );
  if (found.length > 0) return found;
  throw new UsageError(
    `nothing of epoch ${flags.epoch} is set aside with a list; \`failover merge\` says what is`,
  );
}

export function renderSets(sets: readonly DivergedSet[]): string {
  if (sets.length === 0) return 'No site has data of its own set aside.';
  return table([
    ['site', 'epoch', 'set aside', 'inserted', 'changed', 'deleted', 'unknown', 'merged'],
    ...sets.map(({ at, summary: { epoch, at: when, counts, merged } }) => [
      at.site.site,
      String(epoch),
      when,
      ...(counts === null
        ? ['–', '–', '–', 'no list']
        : [counts.inserted, counts.changed, counts.deleted, counts.unknown].map(String)),
      merged !== null
        ? `by ${merged.by}, ${merged.policy}, ${merged.outcome.conflicts} conflicts`
        : operationsOf(counts) === 0
          ? 'nothing to merge'
          : 'no',
    ]),
  ]);
}
