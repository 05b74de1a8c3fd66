/** The two calls of Cloudflare's API v4 that move a record: list the A records of a name, change one's address. */
import { Agent } from 'undici';
import { z } from 'zod';
import { AgentError } from '../../shared/errors';
import { codeOf, messageOf } from '../errors';

const RecordAnswer = z.object({
  id: z.string().min(1),
  name: z.string(),
  type: z.string(),
  content: z.string(),
  ttl: z.number(),
});
export type AddressRecord = z.output<typeof RecordAnswer>;

const Envelope = z.object({
  success: z.boolean(),
  errors: z.array(z.object({ code: z.number(), message: z.string() })).default([]),
  result: z.unknown(),
  result_info: z.object({ total_count: z.number() }).nullish(),
});
type Envelope = z.output<typeof Envelope>;

/**
 * - DNS_API_UNREACHABLE: no answer, or one that is no answer of the API; it may have been carried out
 * - DNS_API_RATE_LIMITED: 1,200 requests in five minutes is the bound, over everything that uses the same account
 * - DNS_TOKEN_REFUSED: wrong, run out, or not for this zone
 * - DNS_API_REFUSED: anything else
 */
export type DnsApiErrorCode =
  'DNS_API_UNREACHABLE' | 'DNS_API_RATE_LIMITED' | 'DNS_TOKEN_REFUSED' | 'DNS_API_REFUSED';

export class DnsApiError extends AgentError {
  /** @param retryAfterMs what the API asks for, or null */
  constructor(
    readonly code: DnsApiErrorCode,
    message: string,
    readonly retryAfterMs: number | null = null,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export interface CloudflareClientOptions {
  readonly apiUrl: string;
  readonly zoneId: string;
  /** May edit the records of this zone. */
  readonly token: string;
}

/** Most that one page of a list holds; a name with more A records than that is none of ours. */
const PER_PAGE = 100;

export class CloudflareClient {
  private readonly agent = new Agent({ connections: 2, connect: { timeout: 3_000 } });

  constructor(private readonly options: CloudflareClientOptions) {}

  async addressRecords(name: string, timeoutMs: number): Promise<readonly AddressRecord[]> {
    const query = new URLSearchParams({ type: 'A', 'name.exact': name, per_page: String(PER_PAGE) });
    const { result, result_info: info } = await this.call('GET', `?${query}`, undefined, timeoutMs);
    const records = parsed(z.array(RecordAnswer), result, 'list of records');
    if (info != null && info.total_count > records.length)
      throw new DnsApiError(
        'DNS_API_REFUSED',
        `${name} has ${info.total_count} A records, which are not all ours.`,
      );
    // Asked for exactly this, and checked all the same: a filter that is not understood would be passed over.
    return records.filter((record) => record.type === 'A' && record.name === name);
  }

  /** Changes the address alone; the rest is sent as it is, because the API wants it. */
  async setAddress(record: AddressRecord, content: string, timeoutMs: number): Promise<AddressRecord> {
    const { id, name, type, ttl } = record;
    const { result } = await this.call(
      'PATCH',
      `/${encodeURIComponent(id)}`,
      { name, type, ttl, content },
      timeoutMs,
    );
    return parsed(RecordAnswer, result, 'changed record');
  }

  async close(): Promise<void> {
    await this.agent.destroy();
  }

  private async call(
    method: 'GET' | 'PATCH',
    rest: string,
    body: unknown,
    timeoutMs: number,
  ): Promise<Envelope> {
    const { apiUrl, zoneId, token } = this.options;
    const url = new URL(`${apiUrl.replace(/\/$/, '')}/zones/${zoneId}/dns_records${rest}`);
    let status: number;
    let retryAfter: string | undefined;
    let text: string;
    try {
      const response = await this.agent.request({
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method,
        headers: {
          authorization: `Bearer ${token}`,
          accept: 'application/json',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        body: body === undefined ? null : JSON.stringify(body),
        signal: AbortSignal.timeout(timeoutMs),
      });
      status = response.statusCode;
      retryAfter = first(response.headers['retry-after']);
      text = await response.body.text();
    } catch (cause) {
      throw new DnsApiError(
        'DNS_API_UNREACHABLE',
        `Cloudflare's API did not answer ${method} within ${Math.round(timeoutMs)} ms (${codeOf(cause)}: ${messageOf(cause)}).`,
        null,
        { cause },
      );
    }
    return accepted(method, status, retryAfter, text);
  }
}

function accepted(method: string, status: number, retryAfter: string | undefined, text: string): Envelope {
  const envelope = readEnvelope(text);
  const told = envelope?.errors.map(({ code, message }) => `${code} ${message}`).join('; ');
  const said = told === undefined || told === '' ? '' : `: ${told}`;
  const answer = `Cloudflare's API answered ${status} to ${method}${said}.`;
  if (status === 429) {
    const seconds = Number(retryAfter);
    throw new DnsApiError('DNS_API_RATE_LIMITED', answer, seconds > 0 ? seconds * 1000 : null);
  }
  if (status === 401 || status === 403)
    throw new DnsApiError('DNS_TOKEN_REFUSED', `${answer} Check the token: DNS Edit on the service's zone.`);
  if (status >= 500 || envelope === null) throw new DnsApiError('DNS_API_UNREACHABLE', answer);
  if (status < 200 || status > 299 || !envelope.success) throw new DnsApiError('DNS_API_REFUSED', answer);
  return envelope;
}

function readEnvelope(text: string): Envelope | null {
  try {
    const result = Envelope.safeParse(JSON.parse(text));
    return result.success ? result.data : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function parsed<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new DnsApiError(
    'DNS_API_UNREACHABLE',
    `Cloudflare's API sent no ${what}: ${z.prettifyError(result.error)}`,
  );
}

function first(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}
