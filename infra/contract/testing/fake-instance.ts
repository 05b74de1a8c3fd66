/** The metadata service of an instance and a bucket that its role opens, on one loopback port. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isSignedWith } from './signature';

export const ROLE_KEYS = {
  AccessKeyId: 'ASIAEXAMPLE',
  SecretAccessKey: 'role/secret+key==',
  Token: 'session/token+with=signs==',
} as const;
const IMDS_TOKEN = 'imds-token';
const ROLE_PATH = '/latest/meta-data/iam/security-credentials/';

export class FakeInstance {
  /** Path of each object: its content. */
  readonly objects = new Map<string, string>();
  private server: Server | undefined;

  async start(): Promise<string> {
    const server = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (text: string) => (body += text));
      request.on('end', () => this.answer(request, response, body));
    });
    this.server = server;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.server?.closeAllConnections();
    await new Promise((resolve) => this.server?.close(resolve) ?? resolve(undefined));
  }

  private answer(request: IncomingMessage, response: ServerResponse, sent: string): void {
    const [path = ''] = (request.url ?? '').split('?');
    const [status, body] = path.startsWith('/latest/')
      ? this.metadata(path, request)
      : this.object(path, request, sent);
    response.writeHead(status).end(body);
  }

  /** IMDSv2 alone. */
  private metadata(path: string, { method, headers }: IncomingMessage): [number, string] {
    if (path === '/latest/api/token')
      return method === 'PUT' && headers['x-aws-ec2-metadata-token-ttl-seconds'] !== undefined
        ? [200, IMDS_TOKEN]
        : [400, ''];
    if (headers['x-aws-ec2-metadata-token'] !== IMDS_TOKEN) return [401, ''];
    if (path === ROLE_PATH) return [200, 'servers'];
    if (path !== `${ROLE_PATH}servers`) return [404, ''];
    const expiration = new Date(Date.now() + 3_600_000).toISOString();
    return [200, JSON.stringify({ Code: 'Success', Type: 'AWS-HMAC', ...ROLE_KEYS, Expiration: expiration })];
  }

  private object(path: string, request: IncomingMessage, sent: string): [number, string] {
    const { headers, method } = request;
    const signed = /SignedHeaders=([^,]*)/.exec(headers.authorization ?? '')?.[1]?.split(';') ?? [];
    if (
      !['host', 'x-amz-content-sha256', 'x-amz-date', 'x-amz-security-token'].every((name) =>
        signed.includes(name),
      ) ||
      headers['x-amz-security-token'] !== ROLE_KEYS.Token ||
      !isSignedWith(ROLE_KEYS.SecretAccessKey, request, sent)
    )
      return [403, '<Error><Code>AccessDenied</Code></Error>'];
    if (method === 'PUT') {
      this.objects.set(path, sent);
      return [200, ''];
    }
    const content = this.objects.get(path);
    return content === undefined ? [404, '<Error><Code>NoSuchKey</Code></Error>'] : [200, content];
  }
}
