/** The operator's key pair and each server's host key, made once per lab with ssh-keygen. */
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { exists } from '../tools/cache';
import { run } from '../tools/run';
import { LAB_FOLDER } from './names';

const FOLDER = path.join(LAB_FOLDER, 'ssh');
export const OPERATOR_KEY = path.join(FOLDER, 'operator_ed25519');

async function ensureKey(file: string, comment: string): Promise<void> {
  await mkdir(FOLDER, { recursive: true, mode: 0o700 });
  if (await exists(`${file}.pub`)) return;
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', file]);
}

export async function ensureOperatorKey(): Promise<void> {
  await ensureKey(OPERATOR_KEY, 'operator');
}

const hostKey = (server: string): string => path.join(FOLDER, `host_${server}`);

/** Files that give a server its identity and let the operator in. */
export async function identityFiles(server: string): Promise<Map<string, { text: string; mode: number }>> {
  await ensureKey(hostKey(server), server);
  return new Map([
    // Set, so that systemd does not greet a first boot with its wizard.
    [
      'etc/machine-id',
      {
        text: `${createHash('md5')
          .update(await hostKeyLine(server))
          .digest('hex')}\n`,
        mode: 0o444,
      },
    ],
    ['etc/ssh/ssh_host_ed25519_key', { text: await readFile(hostKey(server), 'utf8'), mode: 0o600 }],
    [
      'etc/ssh/ssh_host_ed25519_key.pub',
      { text: await readFile(`${hostKey(server)}.pub`, 'utf8'), mode: 0o644 },
    ],
    ['root/.ssh/authorized_keys', { text: await readFile(`${OPERATOR_KEY}.pub`, 'utf8'), mode: 0o600 }],
    ['etc/hostname', { text: `${server}\n`, mode: 0o644 }],
    ['etc/hosts', { text: `127.0.0.1 localhost\n127.0.1.1 ${server}\n::1 localhost\n`, mode: 0o644 }],
  ]);
}

/** `ssh-ed25519 AAAA…`, to be pinned. */
export async function hostKeyLine(server: string): Promise<string> {
  const text = await readFile(`${hostKey(server)}.pub`, 'utf8');
  return text.trim().split(' ').slice(0, 2).join(' ');
}

/** Options of ssh for this lab: its key, its pinned host keys, nothing of the person's own configuration. */
export async function sshOptions(server: string, address: string, knownHosts: string): Promise<string[]> {
  await writeFile(knownHosts, `${address} ${await hostKeyLine(server)}\n`);
  return [
    ...[
      '-F',
      'none',
      '-i',
      OPERATOR_KEY,
      '-o',
      'IdentitiesOnly=yes',
      '-o',
      'BatchMode=yes',
      '-o',
      'LogLevel=ERROR',
    ],
    ...[
      '-o',
      'StrictHostKeyChecking=yes',
      '-o',
      `UserKnownHostsFile=${knownHosts}`,
      '-o',
      'ConnectTimeout=5',
    ],
  ];
}
