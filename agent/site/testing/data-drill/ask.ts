/** What an agent or its gateway answered: its refusal's code, or `ok`. */
export interface Answer {
  readonly code: string;
  readonly message: string;
  readonly body: Record<string, unknown>;
}

export interface Question {
  readonly port: number;
  readonly key: string;
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
  readonly timeoutMs?: number;
}

/** A publish of a hundred collections takes minutes on a machine that has other things to do. */
const TIMEOUT_MS = 300_000;

/** Never fails: a connection that breaks, as it does when the agent is killed, is an answer as well. */
export async function ask({ port, key, method, path, body, timeoutMs }: Question): Promise<Answer> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', connection: 'close' },
      signal: AbortSignal.timeout(timeoutMs ?? TIMEOUT_MS),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const parsed = (text.startsWith('{') ? JSON.parse(text) : { text }) as Record<string, unknown>;
    if (response.ok) return { code: 'ok', message: '', body: parsed };
    const refusal = (parsed['skipped'] ?? parsed['error'] ?? {}) as { code?: string; message?: string };
    return {
      code: refusal.code ?? `HTTP ${response.status}`,
      message: refusal.message ?? text.slice(0, 300),
      body: parsed,
    };
  } catch (error) {
    return { code: 'NO_ANSWER', message: error instanceof Error ? error.message : String(error), body: {} };
  }
}
