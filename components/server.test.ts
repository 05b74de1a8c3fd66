import {
  asRoot,
  gpuToolkitScript,
  installReleaseScript,
  prepareScript,
  removeSectionsScript,
  ungpuToolkitScript,
  unprepareScript,
} from './server-scripts';
import { GpuServer } from './gpu-server';
import { Server } from './server';
import { BUNDLE, CONNECTION, SERVER_ARGS } from './testing/host';
import { named, record } from './testing/recording';

const prepare = { user: 'root', architecture: 'x86_64', minimumFreeMegabytes: 1024 };

describe('Server', () => {
  it('prepares, copies the bundle and installs it, in this order', async () => {
    const { resources } = await record(() => new Server('uk-1', SERVER_ARGS));
    expect(resources).toEqual([
      expect.objectContaining({ type: 'failover:dedicated:Server', name: 'uk-1' }),
      {
        type: 'command:remote:Command',
        name: 'uk-1-prepare',
        parent: 'uk-1',
        dependencies: [],
        protect: false,
        additionalSecretOutputs: ['connection'],
        inputs: {
          connection: CONNECTION,
          addPreviousOutputInEnv: false,
          create: asRoot('root', prepareScript(prepare)),
          delete: asRoot('root', unprepareScript()),
        },
      },
      {
        type: 'command:remote:CopyToRemote',
        name: 'uk-1-bundle',
        parent: 'uk-1',
        dependencies: ['uk-1-prepare'],
        protect: false,
        additionalSecretOutputs: ['connection'],
        inputs: {
          connection: CONNECTION,
          source: expect.objectContaining({ path: BUNDLE.path }),
          remotePath: `/opt/failover/incoming/${BUNDLE.release}.js`,
        },
      },
      {
        type: 'command:remote:Command',
        name: 'uk-1-release',
        parent: 'uk-1',
        dependencies: ['uk-1-bundle'],
        protect: false,
        additionalSecretOutputs: ['connection'],
        inputs: {
          connection: CONNECTION,
          addPreviousOutputInEnv: false,
          create: asRoot('root', installReleaseScript(BUNDLE)),
          delete: asRoot('root', removeSectionsScript()),
        },
      },
    ]);
  });

  it('runs the agent with sudo for a user that is not root', async () => {
    const ssh = { ...SERVER_ARGS.ssh, user: 'deploy' };
    const { result, resources } = await record(() => new Server('uk-1', { ...SERVER_ARGS, ssh }));
    const release = `/opt/failover/releases/${BUNDLE.release}/failover-agent.js`;
    expect(result.agentCommand('apply')).toBe(`sudo -n /usr/bin/node ${release} apply`);
    expect(named(resources, 'uk-1-prepare').inputs['create']).toMatch(
      /^sudo -n true .* sudo -n \/bin\/sh -euc /,
    );
  });

  it('removes sections with whatever agent is installed by then', async () => {
    const { result } = await record(() => new Server('uk-1', SERVER_ARGS));
    expect(result.installedAgentCommand('remove edge')).toBe(
      '/usr/bin/node /opt/failover/current/failover-agent.js remove edge',
    );
  });

  it('trap 36: sets neither environment nor triggers anywhere', async () => {
    const { resources } = await record(() => new Server('uk-1', SERVER_ARGS));
    for (const { inputs } of resources) {
      expect(inputs).not.toHaveProperty('environment');
      expect(inputs).not.toHaveProperty('triggers');
    }
  });
});

describe('GpuServer', () => {
  it('prepares the GPUs for containers once the agent is there', async () => {
    const { resources } = await record(() => new GpuServer('uk-1', { ...SERVER_ARGS, containers: true }));
    expect(named(resources, 'uk-1').type).toBe('failover:dedicated:GpuServer');
    expect(named(resources, 'uk-1-gpu-toolkit')).toMatchObject({
      parent: 'uk-1',
      dependencies: ['uk-1-release'],
      inputs: { create: asRoot('root', gpuToolkitScript()), delete: asRoot('root', ungpuToolkitScript()) },
    });
  });

  it('leaves the GPUs alone when vLLM needs no container', async () => {
    const { resources } = await record(() => new GpuServer('uk-1', { ...SERVER_ARGS, containers: false }));
    expect(resources.map(({ name }) => name)).not.toContain('uk-1-gpu-toolkit');
  });
});
