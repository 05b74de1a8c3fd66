import * as grpc from '@grpc/grpc-js';
import { EngineClient } from '@pulumi/pulumi/proto/engine_grpc_pb';
import { LogRequest, LogSeverity } from '@pulumi/pulumi/proto/engine_pb';
import type { OperationLog } from './provider';

/** The engine's log. Messages are sent in order; one that cannot be sent goes to stderr, which the engine shows too. */
export class EngineLog {
  private client: EngineClient | undefined;
  private queue: Promise<void> = Promise.resolve();

  constructor(
    address: string | undefined,
    private readonly options: grpc.ClientOptions,
  ) {
    if (address !== undefined) this.connect(address);
  }

  connect(address: string): void {
    this.client = new EngineClient(address, grpc.credentials.createInsecure(), this.options);
  }

  /** Waits until what was said so far has arrived: the engine takes nothing more once an operation is answered. */
  async drained(): Promise<void> {
    await this.queue;
  }

  of(urn: string): OperationLog {
    return {
      status: (message) => this.send(urn, LogSeverity.INFO, message, true),
      warning: (message) => this.send(urn, LogSeverity.WARNING, message, false),
      error: (message) => this.send(urn, LogSeverity.ERROR, message, false),
    };
  }

  private send(
    urn: string,
    severity: (typeof LogSeverity)[keyof typeof LogSeverity],
    message: string,
    ephemeral: boolean,
  ): void {
    const request = new LogRequest();
    request.setUrn(urn);
    request.setSeverity(severity);
    request.setMessage(message);
    request.setEphemeral(ephemeral);
    this.queue = this.queue.then(
      () =>
        new Promise<void>((resolve) => {
          if (this.client === undefined) return resolve();
          this.client.log(request, (error) => {
            if (error !== null)
              process.stderr.write(`${message}\n(the engine's log refused it: ${error.message})\n`);
            resolve();
          });
        }),
    );
  }
}
