/** The inputs of each resource type, as the vendor's schema has them. */
import type { Field, Fields, FieldType } from '../protocol/schema';

const TRIGGERS: Field = { type: { listOf: 'any' } };
const LOGGING: FieldType = { oneOf: ['stdout', 'stderr', 'stdoutAndStderr', 'none'] };

const CONNECTION_BASE: Fields['fields'] = {
  user: { type: 'string', default: 'root' },
  password: { type: 'string', secret: true },
  host: { type: 'string', required: true },
  port: { type: 'number', default: 22 },
  privateKey: { type: 'string', secret: true },
  privateKeyPassword: { type: 'string', secret: true },
  agentSocketPath: { type: 'string' },
  dialErrorLimit: { type: 'number', default: 10 },
  perDialTimeout: { type: 'number', default: 15 },
  hostKey: { type: 'string' },
};

const CONNECTION: Field = {
  type: { fields: { ...CONNECTION_BASE, proxy: { type: { fields: CONNECTION_BASE } } } },
  required: true,
  secret: true,
};

const RUNS: Fields['fields'] = {
  triggers: TRIGGERS,
  create: { type: 'string' },
  update: { type: 'string' },
  delete: { type: 'string' },
  stdin: { type: 'string' },
  logging: { type: LOGGING },
  environment: { type: { mapOf: 'string' } },
  addPreviousOutputInEnv: { type: 'boolean' },
};

export const REMOTE_COMMAND: Fields = { fields: { ...RUNS, connection: CONNECTION } };

export const LOCAL_COMMAND: Fields = {
  fields: {
    ...RUNS,
    interpreter: { type: { listOf: 'string' } },
    dir: { type: 'string' },
    assetPaths: { type: { listOf: 'string' } },
    archivePaths: { type: { listOf: 'string' } },
  },
};

export const COPY_TO_REMOTE: Fields = {
  fields: {
    connection: CONNECTION,
    triggers: TRIGGERS,
    source: { type: 'assetOrArchive', required: true },
    remotePath: { type: 'string', required: true },
  },
};

export const COPY_FILE: Fields = {
  fields: {
    connection: CONNECTION,
    triggers: TRIGGERS,
    localPath: { type: 'string', required: true },
    remotePath: { type: 'string', required: true },
  },
};

export interface ConnectionEnd {
  readonly user: string;
  readonly password?: string;
  readonly host: string;
  readonly port: number;
  readonly privateKey?: string;
  readonly privateKeyPassword?: string;
  readonly agentSocketPath?: string;
  readonly dialErrorLimit?: number;
  readonly perDialTimeout: number;
  readonly hostKey?: string;
}

export interface Connection extends ConnectionEnd {
  readonly proxy?: ConnectionEnd;
}

export interface CommandInputs {
  readonly create?: string;
  readonly update?: string;
  readonly delete?: string;
  readonly stdin?: string;
  readonly logging?: 'stdout' | 'stderr' | 'stdoutAndStderr' | 'none';
  readonly environment?: Readonly<Record<string, string>>;
  readonly addPreviousOutputInEnv?: boolean;
}

export interface RemoteCommandInputs extends CommandInputs {
  readonly connection: Connection;
}

export interface LocalCommandInputs extends CommandInputs {
  readonly interpreter?: readonly string[];
  readonly dir?: string;
  readonly assetPaths?: readonly string[];
  readonly archivePaths?: readonly string[];
}
