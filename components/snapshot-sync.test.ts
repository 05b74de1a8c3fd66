import { SnapshotSync } from './snapshot-sync';
import { Server } from './server';
import { SERVER_ARGS, SERVER_STEPS, sectionInputs } from './testing/host';
import { named, record } from './testing/recording';

const spec = { publishIntervalSeconds: 900, applyIntervalSeconds: 60 };

function declare() {
  const host = new Server('uk-1', SERVER_ARGS);
  const first = new SnapshotSync('first', { host, after: [], spec });
  return new SnapshotSync('second', { host, after: [first], spec });
}

describe('SnapshotSync', () => {
  it('feeds the agent exactly its section, in the open', async () => {
    const { resources } = await record(declare);
    expect(named(resources, 'first')).toMatchObject({ type: 'failover:dedicated:SnapshotSync', inputs: {} });
    expect(named(resources, 'first-uk-1')).toMatchObject({ type: 'command:remote:Command', parent: 'first' });
    expect(named(resources, 'first-uk-1').inputs).toEqual(sectionInputs('timers', spec));
  });

  it('comes after the server and after what it is told to follow, so that it goes before them', async () => {
    const { resources } = await record(declare);
    expect([...named(resources, 'first-uk-1').dependencies].sort()).toEqual([...SERVER_STEPS].sort());
    expect([...named(resources, 'second-uk-1').dependencies].sort()).toEqual(
      [...SERVER_STEPS, 'first-uk-1'].sort(),
    );
  });
});
