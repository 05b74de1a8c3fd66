import { createHash } from 'node:crypto';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { SECTIONS } from '../infra/contract/site-spec';
import { CTL_ACTIONS } from './host/ctl';
import { AgentError, describeError } from './shared/errors';

const USAGE = `failover-agent: what runs on a server of the failover stack

  failover-agent apply                     make this server as the JSON document on standard input says
  failover-agent remove <section>          undo a section: ${SECTIONS.join(', ')}
  failover-agent run --restic <program>    the site agent itself, as its unit starts it
  failover-agent ctl <${CTL_ACTIONS.join('|')}>   ask the local site agent
  failover-agent verify-model <folder> <sha256 of its SHA256SUMS>
  failover-agent pull --bucket B --region R --server NAME   make this server as the site's bucket says
  failover-agent install-certificate       take over a renewed certificate, as its unit does
  failover-agent version
`;

class UsageError extends AgentError {
  readonly code = 'usage';
}

const LOCK_WAIT_SECONDS = 1800;
const printChange = { change: (what: string): void => print(what) };

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function readStandardInput(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

async function withLock(work: () => Promise<number>): Promise<void> {
  const { takeLock } = await import('./host/lock');
  const { LOCK_PATH } = await import('./host/paths');
  const release = await takeLock(LOCK_PATH, LOCK_WAIT_SECONDS);
  try {
    print(`${await work()} changed`);
  } finally {
    await release();
  }
}

async function runCommand(command: string | undefined, args: readonly string[]): Promise<void> {
  switch (command) {
    case 'apply': {
      const { apply, parseServerSpec } = await import('./host/apply');
      const { RealHost } = await import('./host/real-host');
      const document = parseServerSpec(await readStandardInput());
      await withLock(() => apply(new RealHost(), document, printChange));
      return;
    }
    case 'remove': {
      const section = SECTIONS.find((name) => name === args[0]);
      if (section === undefined) throw new UsageError(`remove needs one of ${SECTIONS.join(', ')}`);
      const { remove } = await import('./host/remove');
      const { RealHost } = await import('./host/real-host');
      await withLock(() => remove(new RealHost(), section, printChange));
      return;
    }
    case 'run': {
      const { AGENT_CONFIG_PATH } = await import('./host/paths');
      const { runDaemon } = await import('./site');
      const [flag, restic] = args;
      if (flag !== '--restic' || restic === undefined) throw new UsageError('run needs --restic <program>');
      await runDaemon(AGENT_CONFIG_PATH, credentialsDirectory(), restic);
      return;
    }
    case 'ctl': {
      const action = CTL_ACTIONS.find((name) => name === args[0]);
      if (action === undefined) throw new UsageError(`ctl needs one of ${CTL_ACTIONS.join(', ')}`);
      const { ctl } = await import('./host/ctl');
      const { firstKey } = await import('./shared/key-lines');
      const key = await fs.readFile(path.join(credentialsDirectory(), 'operator-key'), 'utf8');
      print(await ctl(action, firstKey(key)));
      return;
    }
    case 'verify-model': {
      const [directory, sha256] = args;
      if (directory === undefined || sha256 === undefined) {
        throw new UsageError('verify-model needs the model folder and the SHA-256 of its SHA256SUMS');
      }
      const { verifyModel } = await import('./host/verify-model');
      print(`${await verifyModel(directory, sha256)} files verified in ${directory}`);
      return;
    }
    case 'pull': {
      const { runPull } = await import('./host/pull/command');
      process.exitCode = await runPull(args, __filename, printChange);
      return;
    }
    case 'install-certificate': {
      const { installCertificate } = await import('./host/install-certificate');
      const { RealHost } = await import('./host/real-host');
      // Without the lock: apply may be waiting for the very unit that runs this.
      print(`${await installCertificate(new RealHost(), printChange)} changed`);
      return;
    }
    case 'version': {
      // The bundle is named by its content everywhere else, so that is its version.
      print(
        createHash('sha256')
          .update(await fs.readFile(__filename))
          .digest('hex')
          .slice(0, 12),
      );
      return;
    }
    case undefined:
    default:
      throw new UsageError(
        `${command === undefined ? 'no command given' : `unknown command ${command}`}\n\n${USAGE}`,
      );
  }
}

/** Set by systemd for units with LoadCredential; by hand, root may point it at the applied credentials. */
function credentialsDirectory(): string {
  const directory = process.env['CREDENTIALS_DIRECTORY'];
  if (directory === undefined) {
    throw new UsageError(
      'CREDENTIALS_DIRECTORY is not set: run this from its unit, or as root with CREDENTIALS_DIRECTORY=/etc/failover/credentials',
    );
  }
  return directory;
}

runCommand(process.argv[2], process.argv.slice(3)).catch((error: unknown) => {
  process.stderr.write(`failover-agent: ${describeError(error)}\n`);
  if (!(error instanceof AgentError) && error instanceof Error)
    process.stderr.write(`${error.stack ?? ''}\n`);
  process.exitCode = error instanceof AgentError && error.code === 'usage' ? 64 : 1;
});
