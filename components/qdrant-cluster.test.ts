import { QdrantCluster } from './qdrant-cluster';
import { Server } from './server';
import { SERVER_ARGS, SERVER_STEPS, sectionInputs } from './testing/host';
import { named, record } from './testing/recording';

const spec = { runtime: { kind: 'path' as const, path: '/opt/qdrant' }, version: '1.18.3', port: 6333 };

function declare() {
  const host = new Server('uk-1', SERVER_ARGS);
  const first = new QdrantCluster('first', { host, after: [], spec });
  return new QdrantCluster('second', { host, after: [first], spec });
}

describe('QdrantCluster', () => {
  it('feeds the agent exactly its section, in the open', async () => {
    const { resources } = await record(declare);
    expect(named(resources, 'first')).toMatchObject({ type: 'failover:dedicated:QdrantCluster', inputs: {} });
    expect(named(resources, 'first-uk-1')).toMatchObject({ type: 'command:remote:Command', parent: 'first' });
    expect(named(resources, 'first-uk-1').inputs).toEqual(sectionInputs('vectors', spec));
  });

  it('comes after the server and after what it is told to follow, so that it goes before them', async () => {
    const { resources } = await record(declare);
    expect([...named(resources, 'first-uk-1').dependencies].sort()).toEqual([...SERVER_STEPS].sort());
    expect([...named(resources, 'second-uk-1').dependencies].sort()).toEqual(
      [...SERVER_STEPS, 'first-uk-1'].sort(),
    );
  });
});
