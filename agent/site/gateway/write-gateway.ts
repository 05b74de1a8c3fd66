/**
 * Every Qdrant write of the service passes here. The lease is checked before a write is forwarded and again before it
 * is acknowledged, so that no write is acknowledged by a site whose lease has run out.
 *
 * A write sent with `wait=false` is acknowledged by Qdrant once it is in its log, not yet applied: it is passed on as
 * it is, and counts as acknowledged here too.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Pool, type Dispatcher } from 'undici';
import { HEARTBEAT_COLLECTION, SCRATCH_COLLECTION, SITE_HEADER } from '../../../infra/contract/agent-api';
import { codeOf, messageOf } from '../errors';
import { sendError } from '../http-answers';
import type { KeyCheck } from '../keys';
import { heldEpoch, type KeeperPort } from '../ports';
import { judgeWrite, namesCollection } from './allow-list';
import { Exchange } from './exchange';
import { upstreamHeaders } from './headers';
import type { Ticket, WriteGate } from './write-gate';

/** Looks at the body of one write on its way; told of its end before anybody may count on there being no write in flight. */
export interface WriteObserver {
  forwarded(chunk: Uint8Array): void;
  ended(): void;
}

/** Told of each write that Qdrant confirmed and the lease still covered: the place for a write journal. */
export type OnAcknowledged = (write: {
  readonly method: string;
  readonly url: string;
  readonly epoch: number;
}) => void;

export interface WriteGatewayOptions {
  readonly site: string;
  readonly keeper: Pick<KeeperPort, 'isWritable' | 'lease' | 'writableForSeconds'>;
  readonly gate: WriteGate;
  readonly keys: KeyCheck;
  readonly upstream: { readonly port: number; readonly apiKey: string };
  /** Qdrant forgets writes that arrive while a snapshot is being put in place. */
  readonly isApplying: () => boolean;
  /** Header by which the agent's own writes are told from those of clients. */
  readonly ownKey?: string;
  readonly counters: GatewayCounters;
  readonly onAcknowledged?: OnAcknowledged;
  readonly observe?: (request: IncomingMessage) => WriteObserver;
}

export interface GatewayCounters {
  acknowledged(): void;
  refused(code: string): void;
  seconds(value: number): void;
}

/** A bulk upsert with `wait=true` may take this long. */
const UPSTREAM_TIMEOUT_MS = 600_000;
/** When stopping. */
const DRAIN_MS = 3_000;
/** Clients read them like any other, and never write to them. */
const OWN_COLLECTIONS = [HEARTBEAT_COLLECTION, SCRATCH_COLLECTION];
/** Never leaves this server, and is another in every process. */
export const OWN_KEY_HEADER = 'x-failover-own';
const RETRY_SOON = { 'retry-after': '1' };

export class WriteGateway {
  private readonly pool: Pool;
  private readonly server: Server;
  private closing = false;

  constructor(private readonly options: WriteGatewayOptions) {
    this.pool = new Pool(`http://127.0.0.1:${options.upstream.port}`, {
      connections: 128,
      pipelining: 1,
      connect: { timeout: 2_000 },
      headersTimeout: UPSTREAM_TIMEOUT_MS,
      bodyTimeout: UPSTREAM_TIMEOUT_MS,
      // Shorter than Qdrant's own idle limit, so that a write is not sent into a connection that is closing.
      keepAliveTimeout: 2_000,
    });
    this.server = createServer(
      { keepAliveTimeout: 65_000, requestTimeout: UPSTREAM_TIMEOUT_MS },
      (request, response) => {
        void this.handle(request, response);
      },
    );
  }

  async listen(port: number, host = '127.0.0.1'): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(port, host, resolve);
    });
    const address = this.server.address();
    return typeof address === 'object' && address !== null ? address.port : port;
  }

  /** Refuses new writes, lets those in flight be answered for a moment, and ends. */
  async close(): Promise<void> {
    this.closing = true;
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    const hold = this.options.gate.hold(DRAIN_MS, DRAIN_MS);
    await hold.drained;
    hold.release();
    // An answer that was just written still has to leave.
    await new Promise((resolve) => setImmediate(resolve));
    this.server.closeAllConnections();
    await closed;
    await this.pool.destroy();
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const started = process.hrtime.bigint();
    try {
      response.setHeader(SITE_HEADER, this.options.site);
      if (!this.admit(request, response)) return;
      const waiting = this.options.gate.waitIfHeld();
      if (waiting !== null) {
        await waiting;
        // The hold may have ended with the lease.
        if (!this.admit(request, response)) return;
      }
      await this.forward(request, response);
    } catch (error) {
      this.refuse(response, 503, codeOf(error), messageOf(error), RETRY_SOON);
    } finally {
      this.options.counters.seconds(Number(process.hrtime.bigint() - started) / 1e9);
    }
  }

  private admit(request: IncomingMessage, response: ServerResponse): boolean {
    const { keeper, keys, site, isApplying } = this.options;
    if (!keys.accepts(request.headers, true)) {
      return this.refuse(
        response,
        401,
        'UNAUTHORIZED',
        'Send the service key as `Authorization: Bearer` or `api-key`.',
      );
    }
    const verdict = judgeWrite(request.method ?? '', request.url ?? '');
    if (!verdict.allowed)
      return this.refuse(response, verdict.status, verdict.reason.code, verdict.reason.message);
    const own = OWN_COLLECTIONS.find((name) => namesCollection(request.url ?? '', name));
    if (own !== undefined && !this.isOwn(request)) {
      return this.refuse(response, 403, 'OPERATORS_ONLY', `${own} is the site agent's own.`);
    }
    if (keeper.isWritable() && !isApplying() && !this.closing) return true;
    const holder = keeper.lease()?.holder ?? null;
    if (holder === site) {
      const message = `${site} takes no writes at this moment: a switch is under way or its lease is being renewed. Send it again.`;
      return this.refuse(response, 503, 'WRITES_PAUSED', message, RETRY_SOON);
    }
    const where = holder === null ? 'No site is known to hold the lease' : `${holder} does`;
    const message = `${site} does not hold the lease. ${where}: resolve the service's name again and send the write there.`;
    return this.refuse(response, 503, 'NOT_HOLDER', message, {
      ...RETRY_SOON,
      ...(holder === null ? {} : { 'x-failover-active': holder }),
    });
  }

  private isOwn(request: IncomingMessage): boolean {
    const { ownKey } = this.options;
    return ownKey !== undefined && request.headers[OWN_KEY_HEADER] === ownKey;
  }

  private forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { gate, keeper, upstream } = this.options;
    const epoch = heldEpoch(keeper);
    if (epoch === null) {
      this.refuse(
        response,
        503,
        'NOT_HOLDER',
        'The lease was lost a moment ago. Send the write again.',
        RETRY_SOON,
      );
      return Promise.resolve();
    }
    const ticket = gate.enter();
    const observer = this.options.observe?.(request);
    return new Promise<void>((resolve) => {
      const exchange = new Exchange(request, response, {
        forwarded: (chunk) => observer?.forwarded(chunk),
        mayAcknowledge: () => this.mayAcknowledge(epoch, ticket),
        acknowledged: () => {
          this.options.counters.acknowledged();
          this.options.onAcknowledged?.({ method: request.method ?? '', url: request.url ?? '', epoch });
        },
        refuse: (status, code, message) => this.refuse(response, status, code, message, RETRY_SOON),
        end: () => {
          observer?.ended();
          ticket.leave();
          resolve();
        },
        epoch,
      });
      this.pool.dispatch(
        {
          method: (request.method ?? 'POST') as Dispatcher.HttpMethod,
          path: request.url ?? '/',
          headers: upstreamHeaders(request.rawHeaders, upstream.apiKey),
          body: hasBody(request) ? request : null,
        },
        exchange,
      );
    });
  }

  /** The lease decides, not the hold: a write that was let in before a planned switch may still be confirmed. */
  private mayAcknowledge(epoch: number, ticket: Ticket): boolean {
    return heldEpoch(this.options.keeper) === epoch && !ticket.revoked;
  }

  private refuse(
    response: ServerResponse,
    status: number,
    code: string,
    message: string,
    headers: Readonly<Record<string, string>> = {},
  ): false {
    this.options.counters.refused(code);
    sendError(response, status, code, message, headers);
    return false;
  }
}

function hasBody(request: IncomingMessage): boolean {
  const length = request.headers['content-length'];
  return request.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}
