import { Edge } from './edge';
import { Server } from './server';
import { SERVER_ARGS, SERVER_STEPS, sectionInputs } from './testing/host';
import { named, record } from './testing/recording';

const spec = {
  serviceHost: 'api.failover.test',
  siteHost: 'uk.failover.test',
  site: 'uk-primary',
  tls: { mode: 'files' as const },
  peer: { host: 'eu.failover.test', addresses: ['10.2.0.10'] },
  inferencePort: 8000,
  vectorsPort: 6333,
  generationTimeoutSeconds: 3600,
  maxConnections: 4096,
};

function declare() {
  const host = new Server('uk-1', SERVER_ARGS);
  const first = new Edge('first', { host, after: [], spec });
  return new Edge('second', { host, after: [first], spec });
}

describe('Edge', () => {
  it('feeds the agent exactly its section, in the open', async () => {
    const { resources } = await record(declare);
    expect(named(resources, 'first')).toMatchObject({ type: 'failover:dedicated:Edge', inputs: {} });
    expect(named(resources, 'first-uk-1')).toMatchObject({ type: 'command:remote:Command', parent: 'first' });
    expect(named(resources, 'first-uk-1').inputs).toEqual(sectionInputs('edge', spec));
  });

  it('comes after the server and after what it is told to follow, so that it goes before them', async () => {
    const { resources } = await record(declare);
    expect([...named(resources, 'first-uk-1').dependencies].sort()).toEqual([...SERVER_STEPS].sort());
    expect([...named(resources, 'second-uk-1').dependencies].sort()).toEqual(
      [...SERVER_STEPS, 'first-uk-1'].sort(),
    );
  });
});
