import { LogsSpec } from '../infra/contract/site-spec';
import { LogShipping } from './log-shipping';
import { Server } from './server';
import { SERVER_ARGS, sectionInputs } from './testing/host';
import { named, record } from './testing/recording';

it('feeds the agent exactly its section, in the open', async () => {
  const spec = LogsSpec.parse({
    destinations: [
      {
        name: 'eu-west-2',
        endpoint: 'https://s3.eu-west-2.amazonaws.com',
        region: 'eu-west-2',
        bucket: 'logs',
      },
    ],
    credentials: 'account',
  });
  const { resources } = await record(() => {
    const host = new Server('uk-1', SERVER_ARGS);
    return new LogShipping('logs', { host, after: [], spec });
  });
  expect(named(resources, 'logs')).toMatchObject({ type: 'failover:dedicated:LogShipping', inputs: {} });
  expect(named(resources, 'logs-uk-1').inputs).toEqual(sectionInputs('logs', spec));
});
