/**
 * What the on-call person needs, in one file that only its owner can read: addresses, names, keys and the predicted
 * timeline. Saved while all is well, so that nothing asks Pulumi, a cloud or DNS at 3 a.m.
 */
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { BudgetOutput, type SiteOutputs, type WitnessOutputs } from '../../infra/contract/stack-outputs';
import { ContextUnusableError, OutputsInvalidError } from './errors';

const ContextSite = z.strictObject({
  site: z.string(),
  host: z.string(),
  port: z.number(),
  addresses: z.array(z.string()).min(1),
  /** Names of the site's servers, as a fault command knows them. */
  servers: z.array(z.string()).min(1),
});

export const OperatorContext = z.strictObject({
  version: z.literal(1),
  savedAt: z.string(),
  service: z.strictObject({ host: z.string(), port: z.number(), dnsTtlSeconds: z.number() }),
  /** Where the service belongs: the site that `failback` goes to unless told otherwise. */
  primary: z.string(),
  sites: z.array(ContextSite).min(2),
  nameservers: z.array(z.strictObject({ address: z.string(), port: z.number() })).min(1),
  store: z.strictObject({
    endpoint: z.string(),
    region: z.string(),
    leaseBucket: z.string(),
    /** Where the witness's name leads; empty with a cloud's store, whose certificate comes from a public authority. */
    addresses: z.array(z.string()),
    /** Absent: the caller's own credentials at that cloud, wherever its SDK finds them. */
    account: z.strictObject({ accessKey: z.string(), secretKey: z.string() }).optional(),
  }),
  caCertificate: z.string().optional(),
  clientKey: z.string(),
  operatorKey: z.string(),
  modelName: z.string(),
  switchingMode: z.string(),
  budget: BudgetOutput,
});
export type OperatorContext = z.output<typeof OperatorContext>;
export type ContextSite = z.output<typeof ContextSite>;

export function defaultContextPath(environment: NodeJS.ProcessEnv = process.env): string {
  const named = environment['FAILOVER_CONTEXT'];
  if (named !== undefined && named !== '') return named;
  const base = environment['XDG_CONFIG_HOME'] ?? path.join(os.homedir(), '.config');
  return path.join(base, 'failover', 'context.json');
}

export interface ContextSources {
  readonly witness: WitnessOutputs;
  readonly sites: readonly SiteOutputs[];
  readonly primary?: string | undefined;
  readonly caCertificate?: string | undefined;
  readonly now: Date;
}

/** Puts the three stacks' outputs together; refuses outputs that do not belong together. */
export function buildContext(sources: ContextSources): OperatorContext {
  const { witness, sites } = sources;
  const first = sites[0];
  if (first === undefined || sites.length < 2) {
    throw new OutputsInvalidError(`expected the outputs of two sites, got ${sites.length}`, {
      next: ['name both site stacks: --site-stacks uk-primary,eu-standby'],
    });
  }
  for (const site of sites) {
    if (!sites.some((other) => other.site === site.peerSite)) {
      throw new OutputsInvalidError(
        `${site.site} names ${site.peerSite} as its peer, which is not among the outputs`,
      );
    }
    if (site.serviceUrl !== first.serviceUrl) {
      throw new OutputsInvalidError(
        `${site.site} serves ${site.serviceUrl}, ${first.site} serves ${first.serviceUrl}: not one service`,
      );
    }
  }
  const primary = sources.primary ?? (sites.find((site) => site.site.endsWith('-primary')) ?? first).site;
  if (!sites.some((site) => site.site === primary)) {
    throw new OutputsInvalidError(
      `--primary ${primary} is none of ${sites.map((site) => site.site).join(', ')}`,
    );
  }
  const witnessAddresses = witness.servers.map((server) => server.address);
  const account = witness.storeAccounts[primary] ?? Object.values(witness.storeAccounts)[0];
  if (account === undefined && witness.servers.length > 0) {
    throw new OutputsInvalidError(
      'the witness lists no account at the object store (storeAccounts is empty)',
    );
  }
  const ca = sources.caCertificate ?? witness.caCertificate ?? first.caCertificate;
  return {
    version: 1,
    savedAt: sources.now.toISOString(),
    service: { ...endpoint(first.serviceUrl), dnsTtlSeconds: first.dnsTtlSeconds },
    primary,
    sites: sites.map((site) => ({
      site: site.site,
      ...endpoint(site.siteUrl),
      addresses: site.servers.map((server) => server.address),
      servers: site.servers.map((server) => server.name),
    })),
    nameservers: nameserverAddresses(
      [witness.nameservers, ...sites.map((site) => site.nameservers ?? [])].flat(),
      witnessAddresses,
    ),
    store: {
      endpoint: witness.storeEndpoint,
      region: witness.storeRegion,
      leaseBucket: witness.leaseBucket,
      addresses: witnessAddresses,
      ...(account === undefined ? {} : { account }),
    },
    ...(ca === undefined ? {} : { caCertificate: ca }),
    clientKey: witness.clientKey,
    operatorKey: witness.operatorKey,
    modelName: first.modelName,
    switchingMode: first.switchingMode,
    budget: first.budget,
  };
}

function endpoint(url: string): { host: string; port: number } {
  const parsed = new URL(url);
  if (parsed.protocol !== 'https:') {
    throw new OutputsInvalidError(`expected an https:// address in the stack outputs, got ${url}`);
  }
  return { host: parsed.hostname, port: parsed.port === '' ? 443 : Number(parsed.port) };
}

/** Nameservers are asked by address; one given by name is served by the witness itself, where it has a server. */
function nameserverAddresses(
  nameservers: readonly string[],
  witnessAddresses: readonly string[],
): { address: string; port: number }[] {
  const addresses = nameservers.flatMap((entry) => (isIP(entry) === 0 ? witnessAddresses : [entry]));
  const unique = [...new Set(addresses.length === 0 ? witnessAddresses : addresses)];
  return unique.map((address) => ({ address, port: 53 }));
}

/** Writes the context beside the file and renames it, readable by its owner only from the first byte on. */
export async function saveContext(file: string, context: OperatorContext): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.${process.pid}.tmp`;
  await writeFile(temporary, `${JSON.stringify(context, null, 2)}\n`, { mode: 0o600 });
  await chmod(temporary, 0o600); // an existing file of that name would have kept its mode
  await rename(temporary, file);
}

export async function loadContext(file: string): Promise<OperatorContext> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new ContextUnusableError(
      `cannot read the context file ${file} (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`,
      {
        next: [
          'save one while the stacks can be read: failover context save',
          'or name another: --context FILE',
        ],
      },
    );
  }
  const parsed = OperatorContext.safeParse(parseJson(text));
  if (!parsed.success) {
    // Zod's message names paths and expected types, never values, so no key is shown.
    throw new ContextUnusableError(
      `the context file ${file} is not one of this version: ${issues(parsed.error)}`,
      {
        next: ['save it again: failover context save'],
      },
    );
  }
  return parsed.data;
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined; // the caller's schema refuses it with a message that quotes nothing
  }
}

export function issues(error: z.ZodError): string {
  return error.issues
    .slice(0, 5)
    .map((issue) => `${issue.path.join('.') || '(whole)'}: ${issue.message}`)
    .join('; ');
}

export function siteOf(context: OperatorContext, name: string): ContextSite {
  const site = context.sites.find((candidate) => candidate.site === name);
  if (site === undefined) {
    throw new ContextUnusableError(
      `there is no site ${name}; the context knows ${context.sites.map((each) => each.site).join(', ')}`,
    );
  }
  return site;
}

export function otherSite(context: OperatorContext, name: string): ContextSite {
  const other = context.sites.find((candidate) => candidate.site !== name);
  if (other === undefined) throw new ContextUnusableError(`the context knows no site but ${name}`);
  return other;
}
