/** How this program opens an object store. What an S3 store of one's own and a cloud's have in common is all that it relies on. */
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { S3Client } from '@aws-sdk/client-s3';

export interface S3Location {
  readonly endpoint: string;
  readonly region: string;
  /** Absent: the SDK finds credentials itself, such as those of an EC2 instance's role. */
  readonly account?: { readonly accessKey: string; readonly secretKey: string };
  /** PEM of the authority of the store's certificate; absent: the system's. */
  readonly caCertificate?: string | undefined;
}

export interface S3Limits {
  /** Tries in all; 1 where a repeated request would mean something else. */
  readonly attempts: number;
  readonly connectMs: number;
  /** For the whole answer. @default none: whoever asks bounds it */
  readonly answerMs?: number;
  /** Longest that a connection may say nothing. @default none */
  readonly idleMs?: number;
  /** Connections at a time. */
  readonly sockets: number;
}

export function s3Client(
  { endpoint, region, account, caCertificate }: S3Location,
  limits: S3Limits,
): S3Client {
  const { attempts, connectMs, answerMs, idleMs, sockets } = limits;
  const connections = { keepAlive: true, maxSockets: sockets };
  return new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    ...(account === undefined
      ? {}
      : { credentials: { accessKeyId: account.accessKey, secretAccessKey: account.secretKey } }),
    maxAttempts: attempts,
    // Trailing checksums are not spoken by every S3 store; what matters is guarded by TLS and by digests of our own.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: connectMs,
      ...(answerMs === undefined ? {} : { requestTimeout: answerMs }),
      ...(idleMs === undefined ? {} : { socketTimeout: idleMs }),
      httpAgent: new HttpAgent(connections),
      httpsAgent: new HttpsAgent({
        ...connections,
        ...(caCertificate === undefined ? {} : { ca: caCertificate }),
      }),
    },
  });
}
