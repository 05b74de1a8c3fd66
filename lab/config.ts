/**
 * The lab as data: the stack files that make the program deploy to it. They are what an engineer would fill in for real
 * servers, with these servers' addresses, host keys and files.
 */
import { copyFile, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parse, stringify } from 'yaml';
import { REPOSITORY } from '../tools/cache';
import { modelSha256 } from './model/ensure';
import {
  address,
  LAB_FOLDER,
  PLACES,
  servers,
  STACKS,
  subnet,
  ZONE,
  type Names,
  type ServerPlace,
} from './names';
import { CA_FILE, certificateOf } from './pki';
import { hostKeyLine, OPERATOR_KEY } from './ssh-keys';
import { timingsConfig, type Timings } from './timings';

export const CONFIG_FOLDER = path.join(LAB_FOLDER, 'config');
/** Where the artefacts appear inside the servers. */
export const ON_SERVER = {
  vllm: '/opt/lab/vllm',
  vllmPlugins: '/opt/lab/vllm-plugins',
  qdrant: '/opt/lab/qdrant',
  versitygw: '/opt/lab/versitygw',
  restic: '/opt/lab/restic',
  model: '/srv/models/tiny',
} as const;

/** Settings under which a tiny model serves on a machine with few cores; measured, see docs/lab.md. */
export const VLLM_ENVIRONMENT = {
  HF_HUB_OFFLINE: '1',
  VLLM_CPU_OMP_THREADS_BIND: 'nobind',
  OMP_NUM_THREADS: '1',
  MALLOC_ARENA_MAX: '2',
  VLLM_PLUGINS: 'lab_idle_workers',
  PYTHONPATH: ON_SERVER.vllmPlugins,
  PYTHONDONTWRITEBYTECODE: '1',
  VLLM_HOST_IP: '127.0.0.1',
};
export const VLLM_ARGS = [
  ...['--enforce-eager', '--kv-cache-memory-bytes=16M', '--max-num-seqs=8', '--max-model-len=256'],
  ...['--max-num-batched-tokens=256', '--generation-config=vllm', '--dtype=float32'],
];

/** What the tiny model goes on with; float32 and a fixed seed make it the same on any machine. */
export const KNOWN_ANSWER = { prompt: 'The standby is', answer: 'Hatreatreatre' } as const;

export function configFile(stack: string): string {
  return path.join(CONFIG_FOLDER, `Pulumi.${stack}.yaml`);
}

export interface ConfigOptions {
  readonly names: Names;
  readonly counts: Readonly<Record<ServerPlace, number>>;
  readonly timings: Timings;
  readonly modelFolder: string;
  /** More keys, as `key=value`, for all stacks. */
  readonly overrides: Readonly<Record<string, unknown>>;
}

/** Writes the three stack files; what the engine itself keeps in them (its salt) stays. */
export async function writeConfig(options: ConfigOptions): Promise<void> {
  await mkdir(CONFIG_FOLDER, { recursive: true });
  await copyFile(path.join(REPOSITORY, 'Pulumi.yaml'), path.join(CONFIG_FOLDER, 'Pulumi.yaml'));
  for (const place of ['witness', 'uk', 'eu'] as const) {
    const file = configFile(STACKS[place]);
    const kept = parse(await readFile(file, 'utf8').catch(() => '')) as { encryptionsalt?: string } | null;
    const config = await stackConfig(options, place);
    const document = {
      ...(kept?.encryptionsalt === undefined ? {} : { encryptionsalt: kept.encryptionsalt }),
      config: Object.fromEntries(Object.entries(config).map(([key, value]) => [`failover:${key}`, value])),
    };
    await writeFile(`${file}.part`, stringify(document));
    await rename(`${file}.part`, file);
  }
}

/** Configuration of one stack, without the namespace of its keys. Exported for tests. */
export async function stackConfig(
  options: ConfigOptions,
  place: ServerPlace,
): Promise<Record<string, unknown>> {
  const { names, counts } = options;
  const addresses = (of: ServerPlace): string[] =>
    servers(counts)
      .filter((server) => server.place === of)
      .map((server) => address(names, of, server.index));
  const own = servers(counts).filter((server) => server.place === place);
  const tls = certificateOf(STACKS[place]);
  return {
    stackKind: place === 'witness' ? 'witness' : 'site',
    ...(place === 'witness' ? {} : { site: STACKS[place] }),
    servers: await Promise.all(
      own.map(async (server) => ({
        name: server.name,
        address: address(names, place, server.index),
        hostKey: await hostKeyLine(server.name),
      })),
    ),
    sshUser: 'root',
    sshPrivateKeyFile: OPERATOR_KEY,
    tlsCertificateFile: tls.certificate,
    tlsPrivateKeyFile: tls.key,
    zone: ZONE,
    sites: (['uk', 'eu'] as const).map((site) => ({
      site: STACKS[site],
      host: `${site}.${ZONE}`,
      addresses: addresses(site),
    })),
    witnessAddresses: addresses('witness'),
    managementCidrs: [subnet(names, 'client')],
    clientCidrs: [subnet(names, 'client')],
    // Whoever has the nameservers in its resolv.conf: a refusal is an answer, and a dropped question costs a second.
    resolverCidrs: PLACES.map((member) => subnet(names, member)),
    caCertificateFile: CA_FILE,
    inferenceRuntime: 'venv',
    inferenceVenvPath: ON_SERVER.vllm,
    inferenceExtraArgs: VLLM_ARGS,
    inferenceEnvironment: VLLM_ENVIRONMENT,
    inferenceDrainSeconds: 5,
    modelName: 'tiny',
    modelSha256: await modelSha256(options.modelFolder),
    modelKnownPrompt: KNOWN_ANSWER.prompt,
    modelKnownAnswer: KNOWN_ANSWER.answer,
    qdrantArtifact: `${ON_SERVER.qdrant}/qdrant`,
    versitygwArtifact: `${ON_SERVER.versitygw}/versitygw`,
    resticArtifact: `${ON_SERVER.restic}/restic`,
    resticArtifactSha256: '',
    protectData: false,
    ...timingsConfig(options.timings),
    ...options.overrides,
  };
}
