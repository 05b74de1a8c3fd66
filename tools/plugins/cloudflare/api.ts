/** Cloudflare's API v4 over HTTP: one call, its envelope taken off. */
import type { Json, JsonMap } from '../protocol/json';

/** The API refused; `code` is its own, such as 1005, or 0 where the answer has none. */
export class CloudflareError extends Error {
  constructor(
    readonly status: number,
    readonly code: number,
    message: string,
  ) {
    super(message);
    this.name = 'CloudflareError';
  }
}

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface Call {
  readonly method: Method;
  /** Below the base URL, such as `/zones/…/dns_records`. */
  readonly path: string;
  readonly body?: JsonMap;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Answers the `result`. @throws CloudflareError */
export type Ask = (call: Call) => Promise<Json>;

export interface ApiOptions {
  readonly baseUrl: string;
  readonly token: string;
}

const TIMEOUT_MS = 30_000;

export function cloudflareApi(options: () => ApiOptions): Ask {
  return async ({ method, path, body, headers = {} }) => {
    const { baseUrl, token } = options();
    const response = await fetch(`${baseUrl}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const text = await response.text();
    const { success, errors = [], result } = envelopeOf(text);
    if (response.ok && success === true) return result ?? null;
    const said = errors.map(({ code, message }) => `${message} (${code})`).join('; ');
    throw new CloudflareError(
      response.status,
      errors[0]?.code ?? 0,
      `${method} ${path}: ${response.status} ${said === '' ? text.slice(0, 200) : said}`,
    );
  };
}

interface Envelope {
  readonly success?: boolean;
  readonly errors?: readonly { readonly code: number; readonly message: string }[];
  readonly result?: Json;
}

function envelopeOf(text: string): Envelope {
  try {
    return JSON.parse(text) as Envelope;
  } catch {
    return {}; // a gateway's page
  }
}
