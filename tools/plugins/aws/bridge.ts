/** The official SDK in a process of its own, asked over pipes; see bridge.py. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { JsonMap } from '../protocol/json';

export type { Json, JsonMap } from '../protocol/json';

/** AWS refused; `code` is AWS's own, such as `NoSuchBucket`. */
export class AwsError extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
    this.name = 'AwsError';
  }
}

export interface AwsCall {
  readonly service: string;
  readonly region: string;
  /** In boto3's spelling, such as `create_bucket`. */
  readonly operation: string;
  readonly params: JsonMap;
  /** Who calls; absent: the account's owner, whom an emulator asks nothing. */
  readonly as?: AwsCredentials;
}

export interface AwsCredentials {
  readonly accessKey: string;
  readonly secretKey: string;
  /** Of a role that was taken on. */
  readonly sessionToken?: string;
}

interface Answer {
  readonly id: number;
  readonly result?: JsonMap;
  readonly error?: { readonly code: string; readonly message: string };
}

export interface BridgeOptions {
  /** Interpreter that has boto3. */
  readonly python: string;
  readonly script: string;
  /** Of the emulator. */
  readonly endpoint: string;
}

export class Bridge {
  private readonly child: ChildProcessWithoutNullStreams;
  private readonly waiting = new Map<number, (answer: Answer) => void>();
  private next = 0;
  private said = '';

  constructor({ python, script, endpoint }: BridgeOptions) {
    this.child = spawn(python, [script, endpoint]);
    this.child.stderr.on('data', (chunk: Buffer) => (this.said += chunk.toString()));
    createInterface(this.child.stdout).on('line', (line) => {
      const answer = JSON.parse(line) as Answer;
      this.waiting.get(answer.id)?.(answer);
      this.waiting.delete(answer.id);
    });
    const gone = (): void => {
      for (const [id, settle] of this.waiting)
        settle({ id, error: { code: 'BridgeEnded', message: `the SDK's process ended: ${this.said}` } });
      this.waiting.clear();
    };
    this.child.on('error', gone);
    this.child.on('close', gone);
  }

  /** @throws AwsError */
  async call({ service, region, operation, params, as }: AwsCall): Promise<JsonMap> {
    const id = this.next++;
    const answer = await new Promise<Answer>((resolve) => {
      this.waiting.set(id, resolve);
      this.child.stdin.write(`${JSON.stringify({ id, service, region, operation, params, as })}\n`);
    });
    if (answer.error !== undefined)
      throw new AwsError(answer.error.code, `${service} ${operation} in ${region}: ${answer.error.message}`);
    return answer.result ?? {};
  }

  end(): void {
    this.child.stdin.end();
  }
}
