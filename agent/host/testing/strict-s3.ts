import { createHash, randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * A bucket as S3 itself has it for a server that may only put: ACLs are off, so that only `bucket-owner-full-control` is
 * taken; encrypted with a key of its own, so that no ETag is an MD5; locked, so that no content comes without its MD5.
 */
export class StrictS3 {
  readonly objects = new Map<string, Buffer>();
  /** Requests that were refused, and why. */
  readonly refused: string[] = [];
  private readonly server: Server;

  constructor() {
    this.server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const body = Buffer.concat(chunks);
        const { method = '', url = '', headers } = request;
        const code = refusal(method, headers, createHash('md5').update(body).digest('base64'));
        if (code !== null) {
          this.refused.push(`${method} ${url}: ${code}`);
          response.writeHead(code === 'AccessDenied' ? 403 : 400, { 'content-type': 'application/xml' });
          response.end(`<?xml version="1.0"?><Error><Code>${code}</Code></Error>`);
          return;
        }
        this.objects.set(url.replace(/\?.*/, ''), body);
        const etag = `"${randomBytes(16).toString('hex')}"`;
        response.writeHead(200, { etag, 'x-amz-server-side-encryption': 'aws:kms' }).end();
      });
    });
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

function refusal(
  method: string,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  md5: string,
): string | null {
  const acl = headers['x-amz-acl'];
  if (method !== 'PUT') return 'AccessDenied';
  if (acl !== undefined && acl !== 'bucket-owner-full-control') return 'AccessControlListNotSupported';
  return headers['content-md5'] === md5 ? null : 'InvalidRequest';
}
