/** The clients of a drill: cold ones, warm ones, a writer, and one writer pinned to each site. */
import { setTimeout as delay } from 'node:timers/promises';
import https from 'node:https';
import type { LookupFunction } from 'node:net';
import type { OperatorContext } from '../../cli/context';
import { resolveAddresses } from '../../cli/dns';
import { httpRequest } from '../../cli/http';
import type { DrillClock } from '../clock';
import type { ClientInfo } from '../record';
import type { LoopClient, Outcome } from './loop';
import { completion, outcomeOf, readPoint, search, writePoint, type Expectation } from './requests';
import { TtlResolver } from './ttl-resolver';

export interface ClientOptions {
  readonly collection: string;
  readonly alias: string;
  readonly knownId: number;
  readonly periodMs: number;
  readonly writePeriodMs: number;
  readonly timeoutMs: number;
  /** Instead of the system's resolver, for warm clients. */
  readonly lookup?: LookupFunction;
}

/** Ids of a writer's points: its own million, above all seeds. */
export function pointIdOf(writer: number, seq: number): number {
  return (writer + 1) * 1_000_000 + seq;
}

export function drillClients(
  context: OperatorContext,
  clock: DrillClock,
  options: ClientOptions,
): LoopClient[] {
  const { collection, alias, knownId } = options;
  return [
    cold(context, clock, options, 'inference', () => completion(context.modelName)),
    cold(context, clock, options, 'vectors', () => search(alias, knownId)),
    warm(context, options, 'inference', () => completion(context.modelName)),
    warm(context, options, 'vectors', () => readPoint(collection, knownId)),
    retrying(warm(context, options, 'inference', () => completion(context.modelName))),
    retrying(warm(context, options, 'vectors', () => readPoint(collection, knownId))),
    writer(context, clock, options),
    ...context.sites.map((site, i) => pinned(context, clock, options, site, i + 1)),
  ];
}

type What = ClientInfo['what'];

/** Follows DNS as its TTL says and opens a new connection for every request. */
function cold(
  context: OperatorContext,
  clock: DrillClock,
  options: ClientOptions,
  what: What,
  expectation: (seq: number) => Expectation,
): LoopClient {
  const resolver = resolverFor(context, clock, options.timeoutMs);
  const info = {
    name: `cold-${what}`,
    kind: 'cold',
    what,
    periodMs: options.periodMs,
    timeoutMs: options.timeoutMs,
  } as const;
  return {
    info,
    request: async (seq) => {
      const expected = expectation(seq);
      return outcomeOf(expected, async () => {
        const started = clock.now();
        const address = await resolver.address();
        return toService(context, expected, address, remaining(options.timeoutMs, clock.now() - started));
      });
    },
    close: () => undefined,
  };
}

/** A pool that keeps its connections and asks the system's resolver only when it has to open a new one. */
function warm(
  context: OperatorContext,
  options: ClientOptions,
  what: What,
  expectation: (seq: number) => Expectation,
): LoopClient {
  const agent = new https.Agent({
    keepAlive: true,
    maxSockets: 4,
    ...(options.lookup === undefined ? {} : { lookup: options.lookup }),
  });
  const info = {
    name: `warm-${what}`,
    kind: 'warm',
    what,
    periodMs: options.periodMs,
    timeoutMs: options.timeoutMs,
  } as const;
  return {
    info,
    request: async (seq) => {
      const expected = expectation(seq);
      return outcomeOf(expected, () =>
        httpRequest({
          ...expected.call,
          host: context.service.host,
          port: context.service.port,
          headers: clientKey(context),
          caCertificate: context.caCertificate,
          timeoutMs: options.timeoutMs,
          agent,
        }),
      );
    },
    close: () => agent.destroy(),
  };
}

/** Sends once more what failed: after the time that a refusal's Retry-After names, as clients' libraries do, else at once. */
function retrying(client: LoopClient): LoopClient {
  const { what, timeoutMs } = client.info;
  return {
    ...client,
    info: { ...client.info, name: `retrying-${what}`, kind: 'retrying', timeoutMs: 3 * timeoutMs },
    request: async (seq) => {
      const first = await client.request(seq);
      if (first.ok) return first;
      await delay(Math.min((first.retryAfterSeconds ?? 0) * 1000, timeoutMs));
      return client.request(seq);
    },
  };
}

/** One point a period through the service name; a failed one is not repeated, the next period writes the next. */
function writer(context: OperatorContext, clock: DrillClock, options: ClientOptions): LoopClient {
  const resolver = resolverFor(context, clock, options.timeoutMs);
  const info = {
    name: 'writer',
    kind: 'writer',
    what: 'writes',
    periodMs: options.writePeriodMs,
    timeoutMs: options.timeoutMs,
  } as const;
  return {
    info,
    request: (seq) =>
      write(clock, options, info.name, pointIdOf(0, seq), seq, async (expected) => {
        const started = clock.now();
        const address = await resolver.address();
        return toService(context, expected, address, remaining(options.timeoutMs, clock.now() - started));
      }),
    close: () => undefined,
  };
}

function pinned(
  context: OperatorContext,
  clock: DrillClock,
  options: ClientOptions,
  site: { readonly site: string; readonly addresses: readonly string[] },
  index: number,
): LoopClient {
  const info = {
    name: `pinned-${site.site}`,
    kind: 'pinned',
    what: 'writes',
    periodMs: options.writePeriodMs,
    timeoutMs: options.timeoutMs,
  } as const;
  return {
    info,
    request: (seq) =>
      write(clock, options, info.name, pointIdOf(index, seq), seq, (expected) =>
        toService(context, expected, site.addresses[seq % site.addresses.length] ?? '', options.timeoutMs),
      ),
    close: () => undefined,
  };
}

async function write(
  clock: DrillClock,
  options: ClientOptions,
  name: string,
  pointId: number,
  seq: number,
  send: (expected: Expectation) => ReturnType<typeof httpRequest>,
): Promise<Outcome> {
  const payload = { writer: name, seq, writtenAt: new Date(clock.now()).toISOString() };
  const expected = writePoint(options.collection, pointId, payload);
  return { ...(await outcomeOf(expected, () => send(expected))), pointId };
}

function toService(
  context: OperatorContext,
  expected: Expectation,
  address: string,
  timeoutMs: number,
): ReturnType<typeof httpRequest> {
  return httpRequest({
    ...expected.call,
    host: context.service.host,
    port: context.service.port,
    address,
    headers: clientKey(context),
    caCertificate: context.caCertificate,
    timeoutMs,
  });
}

export function clientKey(context: OperatorContext): Record<string, string> {
  return { authorization: `Bearer ${context.clientKey}` };
}

function resolverFor(context: OperatorContext, clock: DrillClock, timeoutMs: number): TtlResolver {
  return new TtlResolver(
    () => resolveAddresses(context.nameservers, context.service.host, Math.min(timeoutMs, 1_000)),
    () => clock.now(),
  );
}

function remaining(timeoutMs: number, spentMs: number): number {
  return Math.max(1, timeoutMs - spentMs);
}
