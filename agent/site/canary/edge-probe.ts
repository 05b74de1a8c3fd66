/**
 * This site's own edge as a client would find it: TLS, certificate and HAProxy, by a connection of its own each time. A
 * healthy engine behind a dead edge serves nobody.
 */
import { request } from 'node:https';
import { codeOf, messageOf } from '../errors';
import type { ProbeResult } from './verdict';

export interface EdgeProbeOptions {
  /** Name in the certificate. */
  readonly siteHost: string;
  readonly port: number;
  /** PEM of the authority; absent: the system's. */
  readonly caCertificate?: string;
  readonly timeoutMs: number;
}

export class EdgeProbe {
  constructor(private readonly options: EdgeProbeOptions) {}

  async probe(): Promise<ProbeResult> {
    const started = process.hrtime.bigint();
    try {
      const { status, text } = await this.ask();
      const milliseconds = Number((process.hrtime.bigint() - started) / 1_000_000n);
      if ((status === 200 || status === 503) && text.includes('"ready":'))
        return { outcome: 'ok', detail: `edge answers in ${milliseconds} ms` };
      return { outcome: 'failed', detail: `the edge answers ${status} to /readyz: ${text.slice(0, 200)}` };
    } catch (error) {
      return { outcome: 'failed', detail: `the edge does not answer: ${codeOf(error)} ${messageOf(error)}` };
    }
  }

  private ask(): Promise<{ status: number; text: string }> {
    const { siteHost, port, caCertificate, timeoutMs } = this.options;
    return new Promise((resolve, reject) => {
      const sent = request(
        {
          host: '127.0.0.1',
          port,
          servername: siteHost,
          path: '/readyz',
          headers: { host: siteHost },
          agent: false,
          signal: AbortSignal.timeout(timeoutMs),
          ...(caCertificate === undefined ? {} : { ca: caCertificate }),
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }),
          );
        },
      );
      sent.on('error', reject);
      sent.end();
    });
  }
}
