/** What a server finds around it on AWS, at the lab's router: S3 and Secrets Manager (moto) and the instance's metadata. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { REPOSITORY } from '../../tools/cache';
import { AwsError, Bridge, type JsonMap } from '../../tools/plugins/aws/bridge';
import { run } from '../../tools/run';
import { gateway, LAB_FOLDER, namespace, type Names } from '../names';

export const REGION = 'eu-west-2';
const PORT = 5000;
const sha256 = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex');

export interface Pointed {
  readonly key: string;
  readonly sha256: string;
}

export class LabCloud {
  private constructor(
    readonly endpoint: string,
    private readonly child: ChildProcess,
    private readonly bridge: Bridge,
  ) {}

  /** The lab's network has to be there. */
  static async start(names: Names): Promise<LabCloud> {
    const wan = namespace(names, 'wan');
    const address = gateway(names, 'uk');
    await run('ip', ['-n', wan, 'address', 'replace', '169.254.169.254/32', 'dev', 'lo']);
    const inside = ['netns', 'exec', wan];
    const child = spawn(
      'ip',
      [
        ...[...inside, process.execPath, '-r', 'ts-node/register/transpile-only'],
        ...[path.join(__dirname, 'cloud-process.ts'), address, String(PORT)],
      ],
      { cwd: REPOSITORY, stdio: ['pipe', 'pipe', 'inherit'] },
    );
    const told = await Promise.race([once(child.stdout, 'data'), once(child, 'exit')]);
    if (child.exitCode !== null) throw new Error('the lab has no moto; see above');
    const python = path.join(LAB_FOLDER, 'python-at-the-router');
    await writeFile(python, `#!/bin/sh\nexec ip ${inside.join(' ')} ${String(told[0]).trim()} "$@"\n`, {
      mode: 0o755,
    });
    const script = path.join(REPOSITORY, 'tools', 'plugins', 'aws', 'bridge.py');
    const endpoint = `http://${address}:${PORT}`;
    return new LabCloud(endpoint, child, new Bridge({ python, script, endpoint }));
  }

  async stop(): Promise<void> {
    this.bridge.end();
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = once(this.child, 'exit');
    this.child.stdin?.end();
    await gone;
  }

  private call(service: string, operation: string, params: JsonMap): Promise<JsonMap> {
    return this.bridge.call({ service, region: REGION, operation, params });
  }

  async createBucket(name: string): Promise<void> {
    await this.call('s3', 'create_bucket', {
      Bucket: name,
      CreateBucketConfiguration: { LocationConstraint: REGION },
    });
  }

  async put(bucket: string, key: string, content: string | Buffer): Promise<void> {
    const body = { $base64: Buffer.from(content).toString('base64') };
    await this.call('s3', 'put_object', { Bucket: bucket, Key: key, Body: body });
  }

  /** Under its own hash. */
  async putHashed(
    bucket: string,
    keyOf: (hash: string) => string,
    content: string | Buffer,
  ): Promise<Pointed> {
    const pointed = { key: keyOf(sha256(content)), sha256: sha256(content) };
    await this.put(bucket, pointed.key, content);
    return pointed;
  }

  async get(bucket: string, key: string): Promise<string | null> {
    try {
      const { Body } = await this.call('s3', 'get_object', { Bucket: bucket, Key: key });
      return Buffer.from((Body as { $base64: string }).$base64, 'base64').toString('utf8');
    } catch (error) {
      if (error instanceof AwsError && error.code === 'NoSuchKey') return null;
      throw error;
    }
  }

  /** Answers its ARN. */
  async createSecret(name: string, value: string): Promise<string> {
    const { ARN } = await this.call('secretsmanager', 'create_secret', { Name: name, SecretString: value });
    return String(ARN);
  }

  async rotateSecret(arn: string, value: string): Promise<void> {
    await this.call('secretsmanager', 'put_secret_value', { SecretId: arn, SecretString: value });
  }
}
