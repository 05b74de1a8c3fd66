/** More completions at once than an engine can take, sent to one site, so that it is slow without being stuck. */
import { setMaxListeners } from 'node:events';
import type { ContextSite, OperatorContext } from '../../cli/context';
import { NoAnswerError, httpRequest } from '../../cli/http';
import { clientKey } from './clients';

/** Eight times what the smallest engine works on at once. */
const AT_ONCE = 64;
const MAX_TOKENS = 200;
const MAX_REQUESTS = 20_000;
const TIMEOUT_MS = 120_000;

export interface LoadResult {
  readonly answered: number;
  readonly failed: number;
}

export class Load {
  private readonly stopping = new AbortController();
  private readonly workers: Promise<void>[] = [];
  private sent = 0;
  private answered = 0;
  private failed = 0;

  constructor(
    private readonly context: OperatorContext,
    private readonly site: ContextSite,
  ) {}

  start(): void {
    setMaxListeners(2 * AT_ONCE, this.stopping.signal);
    for (let worker = 0; worker < AT_ONCE; worker += 1) this.workers.push(this.work());
  }

  async stop(): Promise<LoadResult> {
    this.stopping.abort();
    await Promise.all(this.workers);
    return { answered: this.answered, failed: this.failed };
  }

  private async work(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted && this.sent < MAX_REQUESTS) {
      this.sent += 1;
      try {
        const { status } = await this.complete(signal);
        if (status === 200) this.answered += 1;
        else this.failed += 1;
      } catch (error) {
        if (!(error instanceof NoAnswerError)) throw error;
        if (!signal.aborted) this.failed += 1;
      }
    }
  }

  private complete(signal: AbortSignal): ReturnType<typeof httpRequest> {
    const { context, site } = this;
    return httpRequest({
      method: 'POST',
      path: '/v1/completions',
      body: { model: context.modelName, prompt: 'load', max_tokens: MAX_TOKENS, ignore_eos: true },
      host: context.service.host,
      port: context.service.port,
      address: site.addresses[0] ?? site.host,
      headers: clientKey(context),
      caCertificate: context.caCertificate,
      timeoutMs: TIMEOUT_MS,
      signal,
    });
  }
}
