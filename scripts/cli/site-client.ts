/** One site's agent as the operator talks to it: through its own edge, by address, with the operator key. */
import type {
  DivergedMergedRequest,
  DivergedPageRequest,
  DivergedPageResponse,
  DivergedResponse,
  DivergedSummary,
  DrilledRequest,
  MergeRequest,
  MergeResponse,
  PromotableResponse,
  PromoteRequest,
  PublishInfo,
  PublishListing,
  PublishesResponse,
  Reason,
  ReadyzResponse,
  ReprotectRequest,
  RestoreRequest,
  RestoreTestVerdict,
  StatusResponse,
  SwitchRequest,
  SwitchResponse,
  VetoRequest,
} from '../../infra/contract/agent-api';
import { parseJson, type ContextSite, type OperatorContext } from './context';
import { RefusedError, SiteFailedError, UnreachableError, describe } from './errors';
import { NoAnswerError, header, httpRequest, type HttpAnswer } from './http';
import { nextStepsFor } from './next-steps';

export interface SiteStatus {
  readonly status: StatusResponse;
  /** Seconds that the site's wall clock is ahead of ours, to about half a second; null when it does not say. */
  readonly clockAheadSeconds: number | null;
}

export type PublishOutcome = { readonly done: PublishInfo } | { readonly skipped: Reason };

/** What a drill and the commands need of a site; the tests have others. */
export interface SitePort {
  readonly site: ContextSite;
  status(timeoutMs?: number): Promise<SiteStatus>;
  readyz(timeoutMs?: number): Promise<ReadyzResponse>;
  promotable(timeoutMs?: number): Promise<PromotableResponse>;
  promote(request: PromoteRequest): Promise<SwitchResponse>;
  switch(request: SwitchRequest): Promise<SwitchResponse>;
  reprotect(request: ReprotectRequest): Promise<void>;
  veto(request: VetoRequest): Promise<void>;
  publish(timeoutMs?: number): Promise<PublishOutcome>;
  apply(timeoutMs?: number): Promise<PublishOutcome>;
  diverged(): Promise<readonly DivergedSummary[]>;
  divergedPage(request: DivergedPageRequest): Promise<DivergedPageResponse>;
  divergedMerged(request: DivergedMergedRequest): Promise<void>;
  merge(request: MergeRequest): Promise<MergeResponse>;
  drilled(request: DrilledRequest): Promise<void>;
}

const LOOK_TIMEOUT_MS = 5_000;
/** A manifest is read for each publish. */
const LIST_TIMEOUT_MS = 60_000;
/** A promotion is a few conditional writes. */
const PROMOTE_TIMEOUT_MS = 120_000;
/** A megabyte of points over a slow line, and each judged. */
const PAGE_TIMEOUT_MS = 120_000;
/** A planned switch publishes and applies first; re-protection restores everything. */
const SWITCH_TIMEOUT_MS = 30 * 60_000;
const REPROTECT_TIMEOUT_MS = 2 * 3600_000;

export class SiteClient implements SitePort {
  constructor(
    private readonly context: OperatorContext,
    readonly site: ContextSite,
  ) {}

  async status(timeoutMs = LOOK_TIMEOUT_MS): Promise<SiteStatus> {
    const sentAt = Date.now();
    const answer = await this.ask('GET', '/status', timeoutMs);
    const status = this.read<StatusResponse>(answer, 200);
    const said = Date.parse(header(answer.headers, 'date') ?? '');
    // The Date header has whole seconds: half a second is its expected lag.
    const ahead = Number.isNaN(said) ? null : (said + 500 - (sentAt + Date.now()) / 2) / 1000;
    return { status, clockAheadSeconds: ahead };
  }

  async readyz(timeoutMs = LOOK_TIMEOUT_MS): Promise<ReadyzResponse> {
    return this.read<ReadyzResponse>(await this.ask('GET', '/readyz', timeoutMs), 200, 503);
  }

  async promotable(timeoutMs = LOOK_TIMEOUT_MS): Promise<PromotableResponse> {
    return this.read<PromotableResponse>(await this.ask('GET', '/promotable', timeoutMs), 200, 503);
  }

  async promote(request: PromoteRequest): Promise<SwitchResponse> {
    return this.read<SwitchResponse>(
      await this.ask('POST', '/failover/promote', PROMOTE_TIMEOUT_MS, request),
      200,
    );
  }

  async switch(request: SwitchRequest): Promise<SwitchResponse> {
    return this.read<SwitchResponse>(
      await this.ask('POST', '/failover/switch', SWITCH_TIMEOUT_MS, request),
      200,
    );
  }

  async reprotect(request: ReprotectRequest): Promise<void> {
    this.read<unknown>(
      await this.ask('POST', '/failover/reprotect', REPROTECT_TIMEOUT_MS, request),
      200,
      202,
      204,
    );
  }

  async veto(request: VetoRequest): Promise<void> {
    this.read<unknown>(await this.ask('POST', '/failover/veto', LOOK_TIMEOUT_MS, request), 200);
  }

  async publish(timeoutMs = SWITCH_TIMEOUT_MS): Promise<PublishOutcome> {
    return this.outcome(await this.ask('POST', '/failover/publish', timeoutMs, {}));
  }

  async apply(timeoutMs = SWITCH_TIMEOUT_MS): Promise<PublishOutcome> {
    return this.outcome(await this.ask('POST', '/failover/apply', timeoutMs, {}));
  }

  /** What the store has. */
  async publishes(): Promise<readonly PublishListing[]> {
    const answer = await this.ask('GET', '/failover/publishes', LIST_TIMEOUT_MS);
    return this.read<PublishesResponse>(answer, 200).publishes;
  }

  async restoreTest(): Promise<RestoreTestVerdict> {
    return this.read(await this.ask('POST', '/failover/restore-test', REPROTECT_TIMEOUT_MS, {}), 200);
  }

  async restore({ at, by, reason }: RestoreRequest): Promise<PublishInfo> {
    const answer = await this.ask('POST', '/failover/restore', REPROTECT_TIMEOUT_MS, { at, by, reason });
    return this.read<PublishInfo>(answer, 200);
  }

  async diverged(): Promise<readonly DivergedSummary[]> {
    const answer = await this.ask('POST', '/failover/diverged', LOOK_TIMEOUT_MS, {});
    return this.read<DivergedResponse>(answer, 200).diverged;
  }

  async divergedPage(request: DivergedPageRequest): Promise<DivergedPageResponse> {
    return this.read<DivergedPageResponse>(
      await this.ask('POST', '/failover/diverged/page', PAGE_TIMEOUT_MS, request),
      200,
    );
  }

  async divergedMerged(request: DivergedMergedRequest): Promise<void> {
    this.read<unknown>(await this.ask('POST', '/failover/diverged/merged', LOOK_TIMEOUT_MS, request), 200);
  }

  async drilled({ id, scenario, passed }: DrilledRequest): Promise<void> {
    this.read(await this.ask('POST', '/failover/drilled', LOOK_TIMEOUT_MS, { id, scenario, passed }), 200);
  }

  async merge(request: MergeRequest): Promise<MergeResponse> {
    return this.read<MergeResponse>(await this.ask('POST', '/failover/merge', PAGE_TIMEOUT_MS, request), 200);
  }

  private outcome(answer: HttpAnswer): PublishOutcome {
    const skipped = answer.status === 409 ? reasonIn(parseJson(answer.body), 'skipped') : null;
    return skipped === null ? { done: this.read<PublishInfo>(answer, 200) } : { skipped };
  }

  /** Tries the site's addresses in turn; only one that cannot be connected to lets the next be tried. */
  private async ask(
    method: 'GET' | 'POST',
    path: string,
    timeoutMs: number,
    body?: unknown,
  ): Promise<HttpAnswer> {
    let last: unknown;
    for (const address of this.site.addresses) {
      try {
        return await httpRequest({
          host: this.site.host,
          port: this.site.port,
          address,
          method,
          path,
          headers: { authorization: `Bearer ${this.context.operatorKey}` },
          ...(body === undefined ? {} : { body }),
          timeoutMs,
          caCertificate: this.context.caCertificate,
        });
      } catch (error) {
        last = error;
        if (method === 'POST' && !neverArrived(error)) break; // it may have been carried out: asking twice is no repair
      }
    }
    throw new UnreachableError(
      `${this.site.site} (${this.site.host}, ${this.site.addresses.join(', ')}) gave no answer to ${method} ${path}: ${describe(last)}`,
      method === 'POST' && !neverArrived(last)
        ? { next: ['the request may have been carried out: look at `failover status` before repeating it'] }
        : {},
    );
  }

  private read<T>(answer: HttpAnswer, ...expected: number[]): T {
    const body = parseJson(answer.body);
    if (expected.includes(answer.status) && (body !== undefined || answer.body === '')) return body as T;
    const reason = reasonIn(body, 'error') ?? reasonIn(body, 'skipped');
    const who = `${this.site.site} answered ${answer.status}`;
    if (answer.status === 401 || answer.status === 403) {
      throw new RefusedError(`${who}: the operator key in the context is not the site's`, {
        reasons: reason === null ? [] : [reason],
        next: ['save the context again: failover context save'],
      });
    }
    if (reason !== null && answer.status >= 400 && answer.status < 500) {
      const reasons = [reason, ...reasonsIn(body)];
      throw new RefusedError(`${this.site.site} refused`, { reasons, next: nextStepsFor(reasons) });
    }
    throw new SiteFailedError(
      `${who}${reason === null ? ` with something that is not an agent's answer` : `: ${reason.message} (${reason.code})`}`,
      { next: ['look at `failover status`; on the server: journalctl -u failover-agent -u failover-edge'] },
    );
  }
}

const BEFORE_SENDING = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EADDRNOTAVAIL', 'ENOTFOUND']);

function neverArrived(error: unknown): boolean {
  return error instanceof NoAnswerError && BEFORE_SENDING.has(error.code);
}

function isReason(value: unknown): value is Reason {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as Reason).code === 'string' &&
    typeof (value as Reason).message === 'string'
  );
}

function reasonIn(body: unknown, key: 'error' | 'skipped'): Reason | null {
  const value =
    typeof body === 'object' && body !== null ? (body as Record<string, unknown>)[key] : undefined;
  return isReason(value) ? value : null;
}

/** An agent may list every reason beside the first. */
function reasonsIn(body: unknown): Reason[] {
  const value =
    typeof body === 'object' && body !== null ? (body as Record<string, unknown>)['reasons'] : undefined;
  return Array.isArray(value) ? value.filter(isReason) : [];
}
