import { InferenceServer } from './inference-server';
import { Server } from './server';
import { SERVER_ARGS, SERVER_STEPS, sectionInputs } from './testing/host';
import { named, record } from './testing/recording';

const spec = {
  runtime: { kind: 'venv' as const, path: '/opt/vllm' },
  model: {
    name: 'tiny',
    folder: '/srv/models',
    sha256: 'a'.repeat(64),
    rolloutOrder: 'standby-first' as const,
    store: {
      endpoint: 'https://witness.example.com:7070',
      region: 'us-east-1',
      bucket: 'failover-snapshots',
      credentials: 'account' as const,
      maxMbitPerSecond: 500,
    },
  },
  port: 8000,
  extraArgs: ['--enforce-eager'],
  environment: { OMP_NUM_THREADS: '1' },
  startTimeoutSeconds: 600,
  drainSeconds: 60,
};

function declare() {
  const host = new Server('uk-1', SERVER_ARGS);
  const first = new InferenceServer('first', { host, after: [], spec });
  return new InferenceServer('second', { host, after: [first], spec });
}

describe('InferenceServer', () => {
  it('feeds the agent exactly its section, in the open', async () => {
    const { resources } = await record(declare);
    expect(named(resources, 'first')).toMatchObject({
      type: 'failover:dedicated:InferenceServer',
      inputs: {},
    });
    expect(named(resources, 'first-uk-1')).toMatchObject({ type: 'command:remote:Command', parent: 'first' });
    expect(named(resources, 'first-uk-1').inputs).toEqual(sectionInputs('inference', spec));
  });

  it('comes after the server and after what it is told to follow, so that it goes before them', async () => {
    const { resources } = await record(declare);
    expect([...named(resources, 'first-uk-1').dependencies].sort()).toEqual([...SERVER_STEPS].sort());
    expect([...named(resources, 'second-uk-1').dependencies].sort()).toEqual(
      [...SERVER_STEPS, 'first-uk-1'].sort(),
    );
  });
});
