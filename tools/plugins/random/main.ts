/** The `random` plugin: what the engine starts. */
import { VERSIONS } from '../../versions';
import { serve } from '../protocol/server';
import { bytes, identifier, password, string, uuid } from './kinds';
import { randomResource } from './resource';

serve(
  {
    name: 'random',
    version: VERSIONS.plugins.random,
    // As the vendor's: secrets arrive plain, and the engine marks the outputs that are named like them.
    acceptSecrets: false,
    resources: {
      'random:index/randomPassword:RandomPassword': randomResource(password),
      'random:index/randomString:RandomString': randomResource(string),
      'random:index/randomId:RandomId': randomResource(identifier),
      'random:index/randomBytes:RandomBytes': randomResource(bytes),
      'random:index/randomUuid:RandomUuid': randomResource(uuid),
    },
  },
  process.argv.slice(2),
).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
});
