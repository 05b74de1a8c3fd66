import { Witness } from './witness';
import { Server } from './server';
import { SERVER_ARGS, SERVER_STEPS, sectionInputs } from './testing/host';
import { named, record } from './testing/recording';

const spec = {
  runtime: { kind: 'path' as const, path: '/opt/versitygw' },
  host: 'witness.failover.test',
  port: 7070,
  region: 'us-east-1',
  rootAccessKey: 'failover-root',
  leaseBucket: 'failover-lease',
  snapshotBucket: 'failover-snapshots',
  sites: ['uk-primary', 'eu-standby'],
};

function declare() {
  const host = new Server('uk-1', SERVER_ARGS);
  const first = new Witness('first', { host, after: [], spec });
  return new Witness('second', { host, after: [first], spec });
}

describe('Witness', () => {
  it('feeds the agent exactly its section, in the open', async () => {
    const { resources } = await record(declare);
    expect(named(resources, 'first')).toMatchObject({ type: 'failover:dedicated:Witness', inputs: {} });
    expect(named(resources, 'first-uk-1')).toMatchObject({ type: 'command:remote:Command', parent: 'first' });
    expect(named(resources, 'first-uk-1').inputs).toEqual(sectionInputs('objectStore', spec));
  });

  it('comes after the server and after what it is told to follow, so that it goes before them', async () => {
    const { resources } = await record(declare);
    expect([...named(resources, 'first-uk-1').dependencies].sort()).toEqual([...SERVER_STEPS].sort());
    expect([...named(resources, 'second-uk-1').dependencies].sort()).toEqual(
      [...SERVER_STEPS, 'first-uk-1'].sort(),
    );
  });
});
