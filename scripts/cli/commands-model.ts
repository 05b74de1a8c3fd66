import { readFile } from 'node:fs/promises';
import { Agent } from 'node:https';
import type { Command } from 'commander';
import type { S3Client } from '@aws-sdk/client-s3';
import type { WitnessOutputs } from '../../infra/contract/stack-outputs';
import { UsageError } from './errors';
import { fixedLookup } from './lease-store';
import { parseWitnessOutputs, readSource, readStackOutputs } from './outputs';

interface PublishOptions {
  readonly source?: string;
  readonly revision?: string;
  readonly pulumi: string;
  readonly witnessStack: string;
  readonly witnessOutputs?: string;
  readonly caCertificate?: string;
  readonly endpoint?: string;
  readonly region?: string;
  readonly bucket?: string;
}

const IDLE_MS = 60_000;

export function addModelCommands(root: Command): void {
  const model = root.command('model').description('the weights that servers pull');
  model
    .command('publish <folder>')
    .description('put a version into the object store, once; prints what to configure as modelSha256')
    .option('--source <name>', 'where the files are from, such as the repository of the model')
    .option('--revision <revision>', 'and which revision of it, such as a commit')
    .option('--pulumi <command>', 'how to call Pulumi', 'pulumi')
    .option('--witness-stack <name>', 'stack of the witness, whose store it is', 'witness')
    .option('--witness-outputs <file>', 'saved outputs instead of calling Pulumi; - is standard input')
    .option(
      '--ca-certificate <file>',
      "PEM of the authority of the witness's certificate, where it is not a public one",
    )
    .option(
      '--endpoint <url>',
      'another S3 store; with --region, --bucket and keys as the AWS SDK finds them',
    )
    .option('--region <name>', 'its region')
    .option('--bucket <name>', 'its bucket')
    .action(publish);
}

async function publish(folder: string, options: PublishOptions): Promise<void> {
  const progress = (text: string): void => void process.stderr.write(`${text}\n`);
  const { readModel } = await import('../model/folder');
  const { publishModel } = await import('../model/publish');
  const version = await readModel(folder, sourceOf(options), progress);
  const { s3, bucket } = await openStore(options);
  try {
    const { sentFiles, sentBytes, keptFiles } = await publishModel({ s3, bucket }, version, progress);
    progress(
      `${version.files.length} files; ${sentFiles} objects sent, ${(sentBytes / 1e9).toFixed(2)} GB; ${keptFiles} were there`,
    );
  } finally {
    s3.destroy();
  }
  process.stdout.write(`modelSha256: ${version.sha256}\n`);
}

function sourceOf({ source, revision }: PublishOptions): string | undefined {
  if ((source === undefined) !== (revision === undefined))
    throw new UsageError('--source and --revision go together: a name alone does not say what the files are');
  return source === undefined ? undefined : `${source} at ${revision}`;
}

async function openStore(options: PublishOptions): Promise<{ s3: S3Client; bucket: string }> {
  const { endpoint, region, bucket } = options;
  if (endpoint !== undefined || region !== undefined || bucket !== undefined) {
    if (endpoint === undefined || region === undefined || bucket === undefined)
      throw new UsageError('--endpoint, --region and --bucket go together');
    return { s3: await client(endpoint, region), bucket };
  }
  const { witnessStack, witnessOutputs, pulumi } = options;
  const outputs = parseWitnessOutputs(
    witnessOutputs === undefined
      ? await readStackOutputs(pulumi, witnessStack)
      : await readSource(witnessOutputs),
    witnessOutputs ?? `stack ${witnessStack}`,
  );
  const witness =
    options.caCertificate === undefined
      ? outputs
      : { ...outputs, caCertificate: await readFile(options.caCertificate, 'utf8') };
  return {
    s3: await client(witness.storeEndpoint, witness.storeRegion, witness),
    bucket: witness.snapshotBucket,
  };
}

/** A store on a witness of one's own has accounts of ours; a cloud's is opened with the caller's own keys. */
async function client(endpoint: string, region: string, witness?: WitnessOutputs): Promise<S3Client> {
  // Loaded only when asked for: it is most of this program's size.
  const { S3Client } = await import('@aws-sdk/client-s3');
  const address = witness?.servers[0]?.address;
  const account = address === undefined ? undefined : Object.values(witness?.storeAccounts ?? {})[0];
  const ca = witness?.caCertificate;
  return new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    ...(account === undefined
      ? {}
      : { credentials: { accessKeyId: account.accessKey, secretAccessKey: account.secretKey } }),
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: 10_000,
      socketTimeout: IDLE_MS,
      httpsAgent: new Agent({
        keepAlive: true,
        ...(address === undefined ? {} : { lookup: fixedLookup(address) }),
        ...(address === undefined || ca === undefined ? {} : { ca }),
      }),
    },
  });
}
