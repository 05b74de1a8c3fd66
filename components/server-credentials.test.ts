import * as pulumi from '@pulumi/pulumi';
import { Server } from './server';
import { ServerCredentials } from './server-credentials';
import { SERVER_ARGS, sectionInputs } from './testing/host';
import { named, record, Secret } from './testing/recording';

describe('ServerCredentials', () => {
  const declare = () =>
    new ServerCredentials('credentials', {
      host: new Server('uk-1', SERVER_ARGS),
      after: [],
      credentials: { 'client-key': 'plain by mistake', 'peer-key': pulumi.secret('hunter2') },
    });

  it('trap 34: sends secrets on a secret standard input and nowhere else', async () => {
    const { resources } = await record(declare);
    const { inputs } = named(resources, 'credentials-uk-1');
    const { stdin, ...others } = sectionInputs('credentials', {
      'client-key': 'plain by mistake',
      'peer-key': 'hunter2',
    });
    expect(inputs).toEqual({ ...others, logging: 'none', stdin: new Secret(stdin) });
  });

  it('trap 36: keeps what the command prints out of the log and the plain state', async () => {
    const { resources } = await record(declare);
    const command = named(resources, 'credentials-uk-1');
    expect(command.inputs['logging']).toBe('none');
    expect(command.additionalSecretOutputs).toEqual(expect.arrayContaining(['stdout', 'stderr']));
  });
});
