/** Plain requests to the server under test; every answer is held against the API's description where that is at hand. */
import { loadSpec, type Spec } from './openapi';

export interface Answer<T = unknown> {
  readonly status: number;
  readonly result: T;
  readonly state: unknown;
  /** What `status.error` said; empty when there was none. */
  readonly error: string;
  readonly text: string;
}

const spec: Spec | undefined = loadSpec();

export class Http {
  constructor(
    readonly base: string,
    private readonly apiKey?: string,
  ) {}

  get headers(): Record<string, string> {
    return this.apiKey === undefined ? {} : { 'api-key': this.apiKey };
  }

  get<T = unknown>(path: string): Promise<Answer<T>> {
    return this.call<T>('GET', path);
  }

  put<T = unknown>(path: string, body?: unknown): Promise<Answer<T>> {
    return this.call<T>('PUT', path, body);
  }

  post<T = unknown>(path: string, body?: unknown): Promise<Answer<T>> {
    return this.call<T>('POST', path, body);
  }

  delete<T = unknown>(path: string): Promise<Answer<T>> {
    return this.call<T>('DELETE', path);
  }

  async call<T>(method: string, path: string, body?: unknown): Promise<Answer<T>> {
    const response = await fetch(`${this.base}${path}`, {
      method,
      headers: { ...this.headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return answerOf<T>(method, path, response);
  }

  /** Multipart upload of a snapshot, as the API wants it. */
  async upload<T = unknown>(
    path: string,
    content: Uint8Array<ArrayBuffer>,
    fileName = 'upload.bin',
  ): Promise<Answer<T>> {
    const form = new FormData();
    form.set('snapshot', new Blob([content]), fileName);
    const response = await fetch(`${this.base}${path}`, {
      method: 'POST',
      headers: this.headers,
      body: form,
    });
    return answerOf<T>('POST', path, response);
  }

  async download(path: string): Promise<Buffer<ArrayBuffer>> {
    const response = await fetch(`${this.base}${path}`, { headers: this.headers });
    if (!response.ok) throw new Error(`GET ${path} answered ${response.status}: ${await response.text()}`);
    return Buffer.from(await response.arrayBuffer());
  }
}

async function answerOf<T>(method: string, path: string, response: Response): Promise<Answer<T>> {
  const text = await response.text();
  const json = parsed(text);
  if (json !== undefined && spec !== undefined) spec.check(method, path, response.status, json);
  const { result, status } = (json ?? {}) as { result?: T; status?: { error?: string } | string };
  const error = typeof status === 'object' ? (status.error ?? '') : '';
  return { status: response.status, result: result as T, state: status, error, text };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // health checks and refusals of keys are plain text
  }
}
