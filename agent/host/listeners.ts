import * as fs from 'node:fs/promises';
import { isSystemError } from '../shared/errors';
import type { Listener } from './port';

/** Reads `/proc` rather than running `ss`, which a minimal server lacks. */
export async function readListeners(): Promise<Listener[]> {
  const tables = [
    { file: '/proc/net/tcp', protocol: 'tcp', wantedState: '0A' },
    { file: '/proc/net/tcp6', protocol: 'tcp', wantedState: '0A' },
    { file: '/proc/net/udp', protocol: 'udp', wantedState: '07' },
    { file: '/proc/net/udp6', protocol: 'udp', wantedState: '07' },
  ] as const;
  const sockets: { inode: string; listener: Omit<Listener, 'pid' | 'command' | 'unit'> }[] = [];
  for (const { file, protocol, wantedState } of tables) {
    for (const line of (await readIfThere(file)).split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/);
      const [, local, , state] = fields;
      const inode = fields[9];
      if (local === undefined || inode === undefined || state !== wantedState) continue;
      const [address = '', port = ''] = local.split(':');
      sockets.push({
        inode,
        listener: { protocol, address: decodeAddress(address), port: parseInt(port, 16) },
      });
    }
  }
  const owners = await socketOwners();
  return Promise.all(
    sockets.map(async ({ inode, listener }) => {
      const pid = owners.get(inode) ?? null;
      if (pid === null) return { ...listener, pid, command: null, unit: null };
      return {
        ...listener,
        pid,
        command: (await readIfThere(`/proc/${pid}/comm`)).trim() || null,
        unit: unitOfCgroup(await readIfThere(`/proc/${pid}/cgroup`)),
      };
    }),
  );
}

/** systemd's name for the process's control group, in either cgroup version. */
export function unitOfCgroup(cgroup: string): string | null {
  return /\/([^/\s]+\.service)(?:\/|$)/m.exec(cgroup)?.[1] ?? null;
}

/** The kernel prints each 32-bit word of an address in host order. */
export function decodeAddress(hex: string): string {
  const bytes = [];
  for (let word = 0; word < hex.length; word += 8) {
    for (let at = 6; at >= 0; at -= 2) bytes.push(parseInt(hex.slice(word + at, word + at + 2), 16));
  }
  if (bytes.length === 4) return bytes.join('.');
  const groups = [];
  for (let at = 0; at < 16; at += 2)
    groups.push((((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)).toString(16));
  const text = groups.join(':');
  return text === '0:0:0:0:0:0:0:0' ? '::' : text === '0:0:0:0:0:0:0:1' ? '::1' : text;
}

async function socketOwners(): Promise<Map<string, number>> {
  const owners = new Map<string, number>();
  for (const name of await fs.readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const directory = `/proc/${name}/fd`;
    for (const descriptor of await listIfThere(directory)) {
      const target = await linkIfThere(`${directory}/${descriptor}`);
      const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
      if (inode !== undefined && !owners.has(inode)) owners.set(inode, Number(name));
    }
  }
  return owners;
}

/** Processes come and go while they are looked at. */
async function unlessGone<T>(promise: Promise<T>, otherwise: T): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].some((code) => isSystemError(error, code))) return otherwise;
    throw error;
  }
}
const readIfThere = (file: string): Promise<string> => unlessGone(fs.readFile(file, 'utf8'), '');
const listIfThere = (directory: string): Promise<string[]> => unlessGone(fs.readdir(directory), []);
const linkIfThere = (file: string): Promise<string> => unlessGone(fs.readlink(file), '');
