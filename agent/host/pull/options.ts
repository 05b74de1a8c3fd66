import { parseArgs } from 'node:util';
import { AgentError } from '../../shared/errors';

export interface PullOptions {
  /** The site's deploy bucket. */
  readonly bucket: string;
  readonly region: string;
  readonly server: string;
  readonly endpoint?: string;
  readonly secretsEndpoint?: string;
  readonly metadataEndpoint?: string;
  /** Only make this server one that pulls. */
  readonly install: boolean;
}

export class PullUsageError extends AgentError {
  readonly code = 'usage';
}

const PLAIN = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const ADDRESS = /^https?:\/\/[^\s"'%$\\]+$/;
const REQUIRED = ['bucket', 'region', 'server'] as const;
const ADDRESSES = ['endpoint', 'secrets-endpoint', 'metadata-endpoint'] as const;

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        bucket: { type: 'string' },
        region: { type: 'string' },
        server: { type: 'string' },
        endpoint: { type: 'string' },
        'secrets-endpoint': { type: 'string' },
        'metadata-endpoint': { type: 'string' },
        install: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    throw new PullUsageError(`pull: ${error instanceof Error ? error.message : String(error)}`);
  }
}

export function parsePullOptions(args: readonly string[]): PullOptions {
  const values = parse(args);
  const { bucket = '', region = '', server = '', install } = values;
  for (const name of REQUIRED) {
    if (!PLAIN.test(values[name] ?? '')) throw new PullUsageError(`pull needs --${name} and a plain name`);
  }
  for (const name of ADDRESSES) {
    const address = values[name];
    if (address !== undefined && !ADDRESS.test(address))
      throw new PullUsageError(`pull: --${name} should be an address such as https://s3.example.com`);
  }
  return {
    bucket,
    region,
    server,
    install,
    ...(values.endpoint === undefined ? {} : { endpoint: values.endpoint }),
    ...(values['secrets-endpoint'] === undefined ? {} : { secretsEndpoint: values['secrets-endpoint'] }),
    ...(values['metadata-endpoint'] === undefined ? {} : { metadataEndpoint: values['metadata-endpoint'] }),
  };
}

/** As they are given to another release, or to the unit. */
export function pullArguments(options: PullOptions): string[] {
  const { endpoint, secretsEndpoint, metadataEndpoint } = options;
  return [
    ...['--bucket', options.bucket, '--region', options.region, '--server', options.server],
    ...(endpoint === undefined ? [] : ['--endpoint', endpoint]),
    ...(secretsEndpoint === undefined ? [] : ['--secrets-endpoint', secretsEndpoint]),
    ...(metadataEndpoint === undefined ? [] : ['--metadata-endpoint', metadataEndpoint]),
    ...(options.install ? ['--install'] : []),
  ];
}
