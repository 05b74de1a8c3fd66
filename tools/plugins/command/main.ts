/** The `command` plugin: what the engine starts. */
import { VERSIONS } from '../../versions';
import type { Provider } from '../protocol/provider';
import { serve } from '../protocol/server';
import { copyFile, copyToRemote } from './copy';
import { localCommand } from './local-command';
import { remoteCommand } from './remote-command';

const provider: Provider = {
  name: 'command',
  version: VERSIONS.plugins.command,
  acceptSecrets: true,
  resources: {
    'command:local:Command': localCommand,
    'command:remote:Command': remoteCommand,
    'command:remote:CopyToRemote': copyToRemote,
    'command:remote:CopyFile': copyFile,
  },
};

serve(provider, process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
});
