import { resolve4 } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import type { Command } from 'commander';
import type { WitnessOutputs } from '../../infra/contract/stack-outputs';
import { buildContext, defaultContextPath, loadContext, saveContext, type OperatorContext } from './context';
import { UsageError } from './errors';
import { parseSiteOutputs, parseWitnessOutputs, readSource, readStackOutputs } from './outputs';
import { table } from './table';

interface SaveOptions {
  readonly pulumi: string;
  readonly witnessStack: string;
  readonly siteStacks: string;
  readonly witnessOutputs?: string;
  readonly siteOutputs?: string[];
  readonly caCertificate?: string;
  readonly primary?: string;
}

export function contextPath(command: Command): string {
  const named = command.optsWithGlobals<{ context?: string }>().context;
  return named ?? defaultContextPath();
}

export function addContextCommands(root: Command): void {
  const context = root
    .command('context')
    .description('the saved addresses and keys that everything else uses');
  context
    .command('save')
    .description("read the three stacks' outputs, once, and keep what the on-call person needs (mode 0600)")
    .option('--pulumi <command>', 'how to call Pulumi', 'pulumi')
    .option('--witness-stack <name>', 'stack of the witness', 'witness')
    .option('--site-stacks <names>', 'stacks of the sites, with a comma', 'uk-primary,eu-standby')
    .option('--witness-outputs <file>', 'saved outputs instead of calling Pulumi; - is standard input')
    .option('--site-outputs <files...>', 'saved outputs of the sites instead of calling Pulumi')
    .option(
      '--ca-certificate <file>',
      "PEM of the authority of the edges' certificates, where it is not a public one",
    )
    .option('--primary <site>', 'where `failback` goes (default: the site named …-primary)')
    .action(async (options: SaveOptions, command: Command) => {
      const file = contextPath(command);
      await saveContext(file, await gather(options));
      process.stdout.write(`saved ${file}, readable by you only; it holds keys\n`);
    });
  context
    .command('show')
    .description('what the context holds, without the keys')
    .action(async (_options: unknown, command: Command) => {
      const file = contextPath(command);
      process.stdout.write(`${showContext(await loadContext(file), file)}\n`);
    });
}

async function gather(options: SaveOptions): Promise<OperatorContext> {
  const fromFiles = options.witnessOutputs !== undefined || options.siteOutputs !== undefined;
  if (fromFiles && (options.witnessOutputs === undefined || options.siteOutputs === undefined)) {
    throw new UsageError('--witness-outputs and --site-outputs go together', {
      next: ['name one file for the witness and one for each site'],
    });
  }
  const siteStacks = options.siteStacks.split(',').map((name) => name.trim());
  const [witnessText, ...siteTexts] = await inOrder(
    fromFiles
      ? [options.witnessOutputs ?? '', ...(options.siteOutputs ?? [])].map((file) => () => readSource(file))
      : [options.witnessStack, ...siteStacks].map((stack) => () => readStackOutputs(options.pulumi, stack)),
  );
  const named = (i: number): string =>
    fromFiles ? (options.siteOutputs?.[i] ?? 'a file') : `stack ${siteStacks[i] ?? ''}`;
  const witness = parseWitnessOutputs(
    witnessText ?? '',
    fromFiles ? (options.witnessOutputs ?? '') : `stack ${options.witnessStack}`,
  );
  return buildContext({
    witness: { ...witness, nameservers: await nameserverAddresses(witness) },
    sites: siteTexts.map((text, i) => parseSiteOutputs(text, named(i))),
    primary: options.primary,
    caCertificate:
      options.caCertificate === undefined ? undefined : await readFile(options.caCertificate, 'utf8'),
    now: new Date(),
  });
}

/** One after another: two engines at once would wait for each other's lock, and standard input is there once. */
async function inOrder<T>(tasks: readonly (() => Promise<T>)[]): Promise<T[]> {
  const results: T[] = [];
  for (const task of tasks) results.push(await task());
  return results;
}

export function showContext(context: OperatorContext, file: string): string {
  return table([
    ['file', file],
    ['saved', context.savedAt],
    [
      'service',
      `https://${context.service.host}:${context.service.port} (TTL ${context.service.dnsTtlSeconds} s)`,
    ],
    ...context.sites.map((site) => [
      site.site === context.primary ? 'primary' : 'site',
      `${site.site}: ${site.host} at ${site.addresses.join(', ')}, servers ${site.servers.join(', ')}`,
    ]),
    ['nameservers', context.nameservers.map((server) => server.address).join(', ')],
    ['lease store', `${context.store.endpoint} (${context.store.addresses.join(', ')})`],
    ['authority', context.caCertificate === undefined ? "the system's" : 'a private one, in the file'],
    ['model', context.modelName],
    ['switching', context.switchingMode],
    [
      'RTO',
      `predicted ${context.budget.rto.predictedSeconds} s, objective ${context.budget.rto.objectiveSeconds} s`,
    ],
    [
      'RPO',
      `predicted ${context.budget.rpo.predictedSeconds} s, objective ${context.budget.rpo.objectiveSeconds} s`,
    ],
    ['keys', 'client, operator, object store: present, not shown'],
  ]);
}

/** A cloud's nameservers are given by name, and looked up now: nothing asks DNS for them at 3 a.m. */
async function nameserverAddresses({ servers, nameservers }: WitnessOutputs): Promise<string[]> {
  if (servers.length > 0) return nameservers;
  const found = await Promise.all(
    nameservers.map(async (name) => (isIP(name) === 0 ? resolve4(name) : [name])),
  );
  return found.flat();
}
