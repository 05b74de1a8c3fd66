import * as https from 'node:https';
import * as tls from 'node:tls';
import { X509Certificate } from 'node:crypto';
import type { Duplex } from 'node:stream';
import {
  CreateBucketCommand,
  GetBucketPolicyCommand,
  HeadBucketCommand,
  PutBucketPolicyCommand,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { ObjectStoreError } from './errors';

export interface ObjectStoreAdminOptions {
  readonly host: string;
  readonly port: number;
  readonly region: string;
  readonly accessKey: string;
  readonly secretKey: string;
  /** PEM of the certificate that the store must present. */
  readonly certificate: string;
}

/** What the witness's set-up asks of its own object store. */
export interface ObjectStoreAdmin {
  /** null when the store answers and takes the keys, else why not yet. */
  reachable(): Promise<string | null>;
  /** True when it had to be created. */
  ensureBucket(bucket: string): Promise<boolean>;
  /** True when it had to be changed. */
  ensurePolicy(bucket: string, policy: unknown): Promise<boolean>;
  close(): void;
}

/** Talks to the loopback address and accepts only the very certificate that the store was given. */
class PinnedAgent extends https.Agent {
  constructor(
    private readonly serverName: string,
    private readonly fingerprint: string,
  ) {
    super({ keepAlive: false });
  }

  override createConnection(options: tls.ConnectionOptions): Duplex {
    const socket = tls.connect({
      ...options,
      host: '127.0.0.1',
      servername: this.serverName,
      rejectUnauthorized: false,
    });
    socket.once('secureConnect', () => {
      if (socket.getPeerX509Certificate()?.fingerprint256 !== this.fingerprint) {
        socket.destroy(
          new ObjectStoreError(
            'the object store presents another certificate than the credential tls-certificate: look what listens there',
          ),
        );
      }
    });
    return socket;
  }
}

export function createObjectStoreAdmin(options: ObjectStoreAdminOptions): ObjectStoreAdmin {
  const agent = new PinnedAgent(options.host, new X509Certificate(options.certificate).fingerprint256);
  const client = new S3Client({
    endpoint: `https://${options.host}:${options.port}`,
    region: options.region,
    forcePathStyle: true,
    credentials: { accessKeyId: options.accessKey, secretAccessKey: options.secretKey },
    requestHandler: { httpsAgent: agent, requestTimeout: 10_000, connectionTimeout: 5_000 },
    maxAttempts: 2,
  });
  const status = (error: unknown): number | undefined =>
    error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;

  return {
    async reachable() {
      try {
        // Any bucket will do: an answer about it proves TLS, the account and the signature.
        await client.send(new HeadBucketCommand({ Bucket: 'failover-probe' }));
        return null;
      } catch (error) {
        if (status(error) === 404) return null;
        if (status(error) === 403) return 'it refuses the root account';
        return error instanceof Error ? error.message || error.name : 'no answer';
      }
    },

    async ensureBucket(bucket) {
      try {
        await client.send(new HeadBucketCommand({ Bucket: bucket }));
        return false;
      } catch (error) {
        if (status(error) !== 404) throw error;
      }
      await client.send(new CreateBucketCommand({ Bucket: bucket }));
      return true;
    },

    async ensurePolicy(bucket, policy) {
      const wanted = JSON.stringify(policy);
      const read = async (): Promise<string | undefined> => {
        try {
          return (await client.send(new GetBucketPolicyCommand({ Bucket: bucket }))).Policy;
        } catch (error) {
          if (status(error) === 404) return undefined;
          throw error;
        }
      };
      if ((await read()) === wanted) return false;
      await client.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy: wanted }));
      if ((await read()) !== wanted) {
        throw new ObjectStoreError(
          `the policy of the bucket ${bucket} reads otherwise than it was written: check the object store's version`,
        );
      }
      return true;
    },

    close() {
      client.destroy();
      agent.destroy();
    },
  };
}
