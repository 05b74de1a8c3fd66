/** As much of AWS Secrets Manager as servers use, on a loopback port; signatures are checked. */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isSignedWith } from '../../../../infra/contract/testing/signature';
import type { SecretStage } from '../ports';

interface Version {
  readonly versionId: string;
  readonly value: string;
  readonly createdAt: number;
}
type Answer = readonly [status: number, body: unknown];

export class FakeSecretsManager {
  readonly secrets = new Map<string, Partial<Record<SecretStage, Version>>>();
  /** ARN and stage of each request. */
  readonly asked: string[] = [];
  /** Answers given before any other, such as those of a busy service. */
  readonly refusals: Answer[] = [];
  private server: Server | undefined;
  private written = 0;

  constructor(
    private readonly secretKey: string,
    private readonly now: () => Date = () => new Date(),
  ) {}

  /** What was current becomes the previous version. */
  rotate(arn: string, value: string): void {
    const current = this.secrets.get(arn)?.AWSCURRENT;
    this.written += 1;
    this.secrets.set(arn, {
      AWSCURRENT: { versionId: `v${this.written}`, value, createdAt: this.now().getTime() / 1000 },
      ...(current === undefined ? {} : { AWSPREVIOUS: current }),
    });
  }

  async start(): Promise<string> {
    const server = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (text: string) => (body += text));
      request.on('end', () => {
        const [status, json] = this.refusals.shift() ?? this.answer(request, body);
        response
          .writeHead(status, { 'content-type': 'application/x-amz-json-1.1' })
          .end(JSON.stringify(json));
      });
    });
    this.server = server;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.server?.closeAllConnections();
    await new Promise((resolve) => this.server?.close(resolve) ?? resolve(undefined));
  }

  private answer(request: IncomingMessage, body: string): Answer {
    if (request.headers['x-amz-target'] !== 'secretsmanager.GetSecretValue')
      return [400, { __type: 'UnknownOperationException' }];
    if (!isSignedWith(this.secretKey, request, body)) return [400, { __type: 'InvalidSignatureException' }];
    const { SecretId, VersionStage } = JSON.parse(body) as { SecretId: string; VersionStage: SecretStage };
    this.asked.push(`${SecretId} ${VersionStage}`);
    const version = this.secrets.get(SecretId)?.[VersionStage];
    if (version === undefined)
      return [
        400,
        { __type: 'ResourceNotFoundException', message: `no value for staging label: ${VersionStage}` },
      ];
    const { versionId, value, createdAt } = version;
    return [200, { ARN: SecretId, SecretString: value, VersionId: versionId, CreatedDate: createdAt }];
  }
}
