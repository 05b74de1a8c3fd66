/** GetSecretValue, the one call of AWS Secrets Manager that a server makes. */
import { Hash } from '@smithy/hash-node';
import { HttpRequest } from '@smithy/protocol-http';
import { SignatureV4 } from '@smithy/signature-v4';
import { z } from 'zod';
import { SecretUnavailableError } from '../errors';
import type { KeyProvider } from './objects';
import type { SecretsPort, SecretStage, SecretVersion } from './ports';

const ATTEMPTS = 3;
const TIMEOUT_MS = 10_000;

const Answer = z.object({
  SecretString: z.string().min(1),
  VersionId: z.string().min(1),
  /** Seconds since 1970. */
  CreatedDate: z.number(),
});
const Refusal = z.object({ __type: z.string().default(''), message: z.string().optional() });

export interface SecretsManagerOptions {
  readonly region: string;
  readonly endpoint?: string;
  readonly keys: KeyProvider;
  /** Between attempts; tests do not wait. */
  readonly pauseMs?: number;
}

export class SecretsManager implements SecretsPort {
  private readonly url: URL;
  private readonly signer: SignatureV4;

  constructor(private readonly options: SecretsManagerOptions) {
    this.url = new URL(options.endpoint ?? `https://secretsmanager.${options.region}.amazonaws.com`);
    this.signer = new SignatureV4({
      service: 'secretsmanager',
      region: options.region,
      credentials: options.keys,
      sha256: Hash.bind(null, 'sha256'),
    });
  }

  async read(arn: string, stage: SecretStage): Promise<SecretVersion | null> {
    const { status, text } = await this.ask(JSON.stringify({ SecretId: arn, VersionStage: stage }), arn);
    const json = parseJson(text);
    if (status !== 200) {
      const { __type, message } = Refusal.catch({ __type: '' }).parse(json);
      const type = __type.split('#').pop() ?? '';
      if (type === 'ResourceNotFoundException' && stage === 'AWSPREVIOUS') return null;
      throw new SecretUnavailableError(
        `${arn} cannot be read: Secrets Manager answered ${status} ${type} (${message ?? 'no message'}); ` +
          'see that the secret has a value and that the role may read it and use its key',
      );
    }
    const answer = Answer.safeParse(json);
    // Never what came: it may be the secret.
    if (!answer.success)
      throw new SecretUnavailableError(`${arn} holds no text: give the secret a SecretString`);
    const { SecretString: value, VersionId: versionId, CreatedDate } = answer.data;
    return { value, versionId, createdAt: new Date(CreatedDate * 1000) };
  }

  /** Again after a moment where the service asks for it, or does not answer. */
  private async ask(body: string, arn: string): Promise<{ status: number; text: string }> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const answer = await this.send(body);
        const busy = answer.status >= 500 || answer.status === 429 || answer.text.includes('Throttling');
        if (!busy || attempt === ATTEMPTS) return answer;
      } catch (cause) {
        if (attempt === ATTEMPTS)
          throw new SecretUnavailableError(`${arn} cannot be read: no answer from ${this.url.host}`, {
            cause,
          });
      }
      await new Promise((resolve) => setTimeout(resolve, (this.options.pauseMs ?? 500) * attempt));
    }
  }

  private async send(body: string): Promise<{ status: number; text: string }> {
    const { hostname, port, host, protocol } = this.url;
    const { headers } = await this.signer.sign(
      new HttpRequest({
        method: 'POST',
        protocol,
        hostname,
        ...(port === '' ? {} : { port: Number(port) }),
        path: '/',
        headers: {
          host,
          'content-type': 'application/x-amz-json-1.1',
          'x-amz-target': 'secretsmanager.GetSecretValue',
        },
        body,
      }),
    );
    const response = await fetch(new URL('/', this.url), {
      method: 'POST',
      headers: Object.entries(headers).filter(([name]) => name !== 'host'),
      body,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    return { status: response.status, text: await response.text() };
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null; // what is no JSON is no answer either, which the schemas say
  }
}
