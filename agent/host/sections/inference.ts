import type { InferenceSpec } from '../../../infra/contract/site-spec';
import { SUMS_FILE } from '../../../infra/contract/weights';
import { checkPort } from '../checks';
import type { Converger } from '../converge';
import { HostUnsuitableError, SpecInvalidError } from '../errors';
import { ensurePackages } from '../packages';
import { BUNDLE_PATH, credentialPath, NODE_PATH, VLLM_STATE_DIRECTORY } from '../paths';
import { ensureUnit } from '../service';
import {
  environmentLine,
  execArgument,
  execWithKeys,
  loadCredentials,
  renderUnit,
  sandbox,
} from '../unit-text';
import { modelPath, prepareWeights, settleWeights } from '../weights/rollout';
import type { SectionContext } from './context';

export const INFERENCE_UNIT = 'failover-vllm.service';
const USER = 'failover-vllm';

/** Set from the spec's own fields; a second value would contradict them, or put a key where `ps` shows it. */
const RESERVED_ARGUMENTS = [
  '--host',
  '--port',
  '--api-key',
  '--served-model-name',
  '--shutdown-timeout',
  '--uds',
];
const RESERVED_ENVIRONMENT =
  /^(VLLM_API_KEY|VLLM_SERVER_DEV_MODE|VLLM_ALLOW_RUNTIME_LORA_UPDATING)$|TOKEN$|SECRET/;

export async function applyInference({ converger, document, services }: SectionContext): Promise<void> {
  const spec = document.inference;
  if (spec === undefined) return;
  refuseReserved(spec);
  await converger.credential('vllm-key');
  await checkPort(converger.host, {
    protocol: 'tcp',
    port: spec.port,
    address: '127.0.0.1',
    unit: INFERENCE_UNIT,
  });
  const alreadyServes = await prepareWeights(converger, spec, services.weights(converger.host));
  const content =
    spec.runtime.kind === 'venv'
      ? await prepareEnvironment(converger, spec, spec.runtime.path)
      : await prepareContainer(converger, spec, spec.runtime.image, spec.runtime.gpus);
  await ensureUnit(converger, {
    name: INFERENCE_UNIT,
    content,
    // A new bundle does not restart an engine that takes minutes to load; its start check is the same.
    inputs: [credentialPath('vllm-key'), `${modelPath(spec)}/${SUMS_FILE}`],
    ready: { timeoutSeconds: spec.startTimeoutSeconds, probe: () => probe(converger, spec) },
  });
  if (!alreadyServes) await settleWeights(converger, spec, INFERENCE_UNIT);
}

function refuseReserved(spec: InferenceSpec): void {
  const bad = spec.extraArgs.filter((argument) =>
    RESERVED_ARGUMENTS.some((reserved) => argument === reserved || argument.startsWith(`${reserved}=`)),
  );
  const names = Object.keys(spec.environment).filter((name) => RESERVED_ENVIRONMENT.test(name));
  if (bad.length === 0 && names.length === 0) return;
  throw new SpecInvalidError(
    `inference may not set ${[...bad, ...names].join(', ')}: address, name and drain time have fields of their own, ` +
      'and keys are credentials',
  );
}

async function prepareEnvironment(converger: Converger, spec: InferenceSpec, path: string): Promise<string> {
  const program = `${path}/bin/vllm`;
  if ((await converger.host.stat(program)) === null) {
    throw new HostUnsuitableError(`${program} is absent: install vLLM in the Python environment ${path}`);
  }
  const owner = await converger.user(USER);
  await converger.tree(VLLM_STATE_DIRECTORY, 0o750, owner);
  return venvUnit(spec, program);
}

async function prepareContainer(
  converger: Converger,
  spec: InferenceSpec,
  image: string,
  gpus: string,
): Promise<string> {
  if ((await converger.host.stat('/usr/bin/nvidia-ctk')) === null) {
    throw new HostUnsuitableError(
      '/usr/bin/nvidia-ctk is absent: install the NVIDIA driver and the NVIDIA container toolkit on this server',
    );
  }
  await ensurePackages(converger, {
    names: ['podman'],
    mask: ['podman.socket', 'podman-auto-update.timer', 'podman-restart.service'],
  });
  const present = await converger.host.run('podman', ['image', 'exists', image]);
  if (present.code !== 0) {
    await converger.command('podman', ['pull', '--quiet', image], {
      timeoutSeconds: 7200,
      what: `pulling ${image}`,
    });
    converger.changed(`pulled ${image}`);
  }
  const owner = await converger.user(USER);
  await converger.tree(VLLM_STATE_DIRECTORY, 0o750, owner);
  return containerUnit(spec, image, gpus);
}

export function serveArguments(spec: InferenceSpec, model: string): string[] {
  return [
    model,
    '--host',
    '127.0.0.1',
    '--port',
    String(spec.port),
    '--served-model-name',
    spec.model.name,
    '--shutdown-timeout',
    String(Math.round(spec.drainSeconds)),
    ...spec.extraArgs,
  ];
}

const DEFAULT_ENVIRONMENT = {
  HF_HUB_OFFLINE: '1',
  TRANSFORMERS_OFFLINE: '1',
  VLLM_NO_USAGE_STATS: '1',
  DO_NOT_TRACK: '1',
};

export function venvUnit(spec: InferenceSpec, program: string): string {
  const environment = { ...DEFAULT_ENVIRONMENT, HOME: VLLM_STATE_DIRECTORY, ...spec.environment };
  return unit(spec, [
    `User=${USER}`,
    `Group=${USER}`,
    `WorkingDirectory=${VLLM_STATE_DIRECTORY}`,
    ...Object.entries(environment).map(([name, value]) => environmentLine(name, value)),
    `ExecStartPre=${verifyModel(spec)}`,
    `ExecStart=${execWithKeys({ VLLM_API_KEY: 'vllm-key' }, [program, 'serve', ...serveArguments(spec, modelPath(spec))])}`,
    ...sandbox({
      writable: [VLLM_STATE_DIRECTORY],
      allowExecutableMemory: true,
      allowResourceCalls: true,
      readsHome: [program, spec.model.folder].some((path) => /^\/(home|root)\//.test(path)),
    }),
  ]);
}

export function containerUnit(spec: InferenceSpec, image: string, gpus: string): string {
  const environment = Object.entries({ ...DEFAULT_ENVIRONMENT, ...spec.environment });
  const run = [
    '/usr/bin/podman',
    'run',
    '--name=failover-vllm',
    '--replace',
    '--rm',
    '--pull=never',
    // The container's processes stay in the unit's own control group, so that stopping the unit ends them all.
    '--cgroups=split',
    '--sdnotify=ignore',
    '--network=host',
    `--device=nvidia.com/gpu=${gpus}`,
    '--cap-drop=all',
    '--security-opt=no-new-privileges',
    '--read-only',
    '--tmpfs=/tmp',
    '--tmpfs=/root',
    '--shm-size=8g',
    '--stop-timeout',
    String(Math.round(spec.drainSeconds) + 15),
    `--volume=${modelPath(spec)}:/model:ro`,
    ...environment.map(([name, value]) => `--env=${name}=${value}`),
    // Without a value: podman takes it from its own environment, and no argument list shows it.
    '--env=VLLM_API_KEY',
    image,
    ...serveArguments(spec, '/model'),
  ];
  return unit(spec, [
    // Generated at every start: a driver update changes what the devices look like.
    'ExecStartPre=/usr/bin/nvidia-ctk cdi generate --output=/run/cdi/nvidia.yaml',
    `ExecStartPre=${verifyModel(spec)}`,
    `ExecStart=${execWithKeys({ VLLM_API_KEY: 'vllm-key' }, run)}`,
    'ExecStopPost=-/usr/bin/podman rm --force --ignore failover-vllm',
    'Delegate=yes',
    'ProtectHome=yes',
    'ProtectClock=yes',
    'ProtectKernelLogs=yes',
    'ProtectKernelModules=yes',
    'RestrictRealtime=yes',
    'LockPersonality=yes',
    'SystemCallArchitectures=native',
  ]);
}

function verifyModel(spec: InferenceSpec): string {
  const words = [NODE_PATH, BUNDLE_PATH, 'verify-model', modelPath(spec), spec.model.sha256];
  return words.map(execArgument).join(' ');
}

function unit(spec: InferenceSpec, service: readonly string[]): string {
  return renderUnit([
    {
      name: 'Unit',
      lines: [
        'Description=vLLM of the failover stack',
        'After=network.target local-fs.target',
        // Never give up: a server that stopped trying needs a person at night.
        'StartLimitIntervalSec=0',
      ],
    },
    {
      name: 'Service',
      lines: [
        'Type=exec',
        ...loadCredentials(['vllm-key']),
        ...service,
        'Restart=always',
        'RestartSec=5',
        `TimeoutStartSec=${Math.ceil(spec.startTimeoutSeconds)}`,
        // vLLM drains for `drainSeconds`; only then may the rest of it be killed.
        `TimeoutStopSec=${Math.ceil(spec.drainSeconds) + 30}`,
        // The API server alone is asked to stop, then everything left in the group is killed: workers that outlive it
        // would keep the accelerator.
        'KillMode=mixed',
        'SendSIGKILL=yes',
        'OOMPolicy=stop',
        'LimitNOFILE=65536',
        ...(spec.memoryMax === undefined ? [] : [`MemoryMax=${spec.memoryMax}`]),
      ],
    },
    { name: 'Install', lines: ['WantedBy=multi-user.target'] },
  ]);
}

async function probe(converger: Converger, spec: InferenceSpec): Promise<string | null> {
  try {
    const { status } = await converger.host.http(`http://127.0.0.1:${spec.port}/health`, {
      timeoutSeconds: 5,
    });
    return status === 200 ? null : `/health answers ${status}`;
  } catch (error) {
    return error instanceof Error ? error.message : 'no answer';
  }
}
