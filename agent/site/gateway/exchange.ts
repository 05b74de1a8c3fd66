/** One request on its way to Qdrant and back. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Dispatcher } from 'undici';
import { EPOCH_HEADER } from '../../../infra/contract/agent-api';
import { codeOf, messageOf } from '../errors';
import { downstreamHeaders } from './headers';

/** What the gateway decides and does for an exchange. */
export interface ExchangeEnd {
  readonly epoch: number;
  /** A piece of the body has been handed to Qdrant's connection. */
  forwarded(chunk: Uint8Array): void;
  mayAcknowledge(): boolean;
  acknowledged(): void;
  refuse(status: number, code: string, message: string): void;
  /** Exactly once. */
  end(): void;
}

const OUTCOME_UNKNOWN =
  'Whether this write was done is not known, and it is not acknowledged: ' +
  'read it back from the active site, or send it again if that does no harm.';

export class Exchange implements Dispatcher.DispatchHandlers {
  private ended = false;
  private sent = false;
  private abort: (() => void) | null = null;
  private discard = false;

  constructor(
    private readonly request: IncomingMessage,
    private readonly response: ServerResponse,
    private readonly port: ExchangeEnd,
  ) {
    response.once('close', () => {
      if (!response.writableFinished) this.abort?.();
    });
  }

  onConnect(abort: () => void): void {
    this.abort = abort;
    // Qdrant may act from here on.
    this.sent = true;
    if (this.response.destroyed) abort();
  }

  /** undici's types call it a size; it is the piece itself. */
  onBodySent(chunk: unknown): void {
    if (chunk instanceof Uint8Array) this.port.forwarded(chunk);
  }

  onHeaders(status: number, headers: Buffer[], resume: () => void, statusText: string): boolean {
    if (status < 200) return true;
    const acknowledges = status < 300;
    if (acknowledges && !this.port.mayAcknowledge()) {
      this.discard = true;
      this.port.refuse(503, 'WRITE_OUTCOME_UNKNOWN', OUTCOME_UNKNOWN);
      return true;
    }
    this.response.setHeader(EPOCH_HEADER, String(this.port.epoch));
    this.response.writeHead(status, statusText, downstreamHeaders(headers));
    this.response.on('drain', resume);
    if (acknowledges) this.port.acknowledged();
    return true;
  }

  onData(chunk: Buffer): boolean {
    return this.discard || this.response.write(chunk);
  }

  onComplete(): void {
    if (!this.discard) this.response.end();
    this.finish();
  }

  onError(error: Error): void {
    if (this.response.headersSent) {
      this.response.destroy();
    } else if (!this.sent || codeOf(error) === 'ECONNREFUSED') {
      this.port.refuse(
        503,
        'VECTORS_UNREACHABLE',
        `Qdrant does not answer (${messageOf(error)}); nothing was written.`,
      );
    } else {
      this.port.refuse(503, 'WRITE_OUTCOME_UNKNOWN', OUTCOME_UNKNOWN);
    }
    if (!this.request.complete) this.request.destroy();
    this.finish();
  }

  private finish(): void {
    if (this.ended) return;
    this.ended = true;
    this.port.end();
  }
}
