/** A real sshd on a loopback port with keys of its own, ended by its pid. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { run } from '../../run';

export interface TestSshd {
  readonly port: number;
  readonly user: string;
  readonly privateKey: string;
  /** As `ssh-keyscan` tells it: `ssh-ed25519 AAAA…`. */
  readonly hostKey: string;
  /** The host key of nobody. */
  readonly otherHostKey: string;
  /** A folder for what the commands leave. */
  readonly folder: string;
  stop(): Promise<void>;
}

export async function startSshd(): Promise<TestSshd> {
  const folder = await mkdtemp(path.join(tmpdir(), 'sshd-test-'));
  for (const name of ['host', 'client', 'other']) {
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', path.join(folder, name)]);
  }
  const port = await freePort();
  const config = path.join(folder, 'sshd_config');
  // Debian's defaults in what matters here: AcceptEnv, and an external SFTP server.
  await writeFile(
    config,
    [
      `ListenAddress 127.0.0.1:${port}`,
      `HostKey ${folder}/host`,
      `AuthorizedKeysFile ${folder}/client.pub`,
      'PidFile none',
      'StrictModes no',
      'UsePAM no',
      'PasswordAuthentication no',
      'PermitRootLogin prohibit-password',
      'AcceptEnv LANG LC_*',
      'Subsystem sftp /usr/lib/openssh/sftp-server',
      '',
    ].join('\n'),
  );
  if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true });
  const daemon = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', config], { stdio: 'ignore' });
  await reachable(port, daemon);
  const publicKey = async (name: string): Promise<string> =>
    (await readFile(path.join(folder, `${name}.pub`), 'utf8')).trim();
  await mkdir(path.join(folder, 'work'));
  return {
    port,
    user: userInfo().username,
    privateKey: await readFile(path.join(folder, 'client'), 'utf8'),
    hostKey: await publicKey('host'),
    otherHostKey: await publicKey('other'),
    folder: path.join(folder, 'work'),
    async stop() {
      const ended = new Promise((resolve) => daemon.once('exit', resolve));
      daemon.kill('SIGTERM');
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function reachable(port: number, daemon: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    if (daemon.exitCode !== null) throw new Error(`sshd ended with ${daemon.exitCode}`);
    if (await answers(port)) return;
    await delay(25);
  }
  throw new Error(`sshd does not answer on port ${port}`);
}

async function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('data', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
