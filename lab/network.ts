/**
 * The lab's network: a router namespace with one bridge and subnet a place, and a namespace a server. Nothing touches the
 * root namespace, and there is no way out. Faults are rules of the router, so no server can tell them from a real cut.
 */
import { mkdir, readFile, readdir, rm, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { exists } from '../tools/cache';
import { CommandFailedError, run } from '../tools/run';
import {
  address,
  gateway,
  namespace,
  PLACES,
  subnet,
  type Names,
  type Place,
  type Server,
  type ServerPlace,
} from './names';

const WAN = 'wan';

const NETNS_FOLDER = '/run/netns';
const RESOLVERS_FOLDER = '/etc/netns';

export async function namespaces(): Promise<string[]> {
  return (await exists(NETNS_FOLDER)) ? readdir(NETNS_FOLDER) : [];
}

/** Files that stand for this lab's namespaces. */
export async function ownNamespaces(names: Names): Promise<string[]> {
  return (await namespaces())
    .filter((name) => name.startsWith(`${names.prefix}-`))
    .map((name) => path.join(NETNS_FOLDER, name));
}

async function ensureNamespace(name: string): Promise<boolean> {
  if ((await namespaces()).includes(name)) return false;
  await run('ip', ['netns', 'add', name]);
  await run('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
  return true;
}

async function hasLink(netns: string, link: string): Promise<boolean> {
  return run('ip', ['-n', netns, 'link', 'show', link]).then(
    () => true,
    () => false,
  );
}

/** The router and its bridges. */
export async function ensureWan(names: Names): Promise<void> {
  const wan = namespace(names, WAN);
  await ensureNamespace(wan);
  for (const place of PLACES) {
    if (await hasLink(wan, place)) continue;
    await run('ip', ['-n', wan, 'link', 'add', place, 'type', 'bridge']);
    await run('ip', ['-n', wan, 'address', 'add', `${gateway(names, place)}/26`, 'dev', place]);
    await run('ip', ['-n', wan, 'link', 'set', place, 'up']);
  }
  await run('ip', ['netns', 'exec', wan, 'sysctl', '-qw', 'net.ipv4.ip_forward=1']);
}

/** A namespace with one address in a place, its default route through the router. */
async function ensureMember(names: Names, member: string, place: Place, ip: string): Promise<void> {
  const wan = namespace(names, WAN);
  const own = namespace(names, member);
  await ensureNamespace(own);
  const port = `p-${member}`;
  if (!(await hasLink(own, 'eth0'))) {
    await run('ip', [
      'link',
      'add',
      port,
      'netns',
      wan,
      'type',
      'veth',
      'peer',
      'name',
      'eth0',
      'netns',
      own,
    ]);
    await run('ip', ['-n', wan, 'link', 'set', port, 'master', place]);
    await run('ip', ['-n', own, 'address', 'add', `${ip}/26`, 'dev', 'eth0']);
  }
  await run('ip', ['-n', wan, 'link', 'set', port, 'up']);
  await run('ip', ['-n', own, 'link', 'set', 'eth0', 'up']);
  await run('ip', ['-n', own, 'route', 'replace', 'default', 'via', gateway(names, place)]);
}

export async function ensureServerNetwork(names: Names, server: Server): Promise<void> {
  await ensureMember(names, server.name, server.place, address(names, server.place, server.index));
}

/** Cuts or restores the cable of a server. */
export async function setCable(names: Names, server: Server, state: 'up' | 'down'): Promise<void> {
  await run('ip', ['-n', namespace(names, WAN), 'link', 'set', `p-${server.name}`, state]);
}

/** Everybody's resolvers: the zone's nameservers, the witness's first. While one is away, nobody waits for it long. */
export function resolverText(names: Names, places: readonly ServerPlace[] = ['witness', 'uk', 'eu']): string {
  const lines = places.map((place) => `nameserver ${address(names, place, 1)}\n`);
  return `${lines.join('')}options timeout:1 attempts:2\n`;
}

/** The clients' namespace; its resolvers are the zone's nameservers. */
export async function ensureClientNetwork(names: Names): Promise<void> {
  const folder = resolverFolder(names);
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, 'resolv.conf'), resolverText(names));
  await ensureMember(names, 'client', 'client', address(names, 'client', 1));
}

function resolverFolder(names: Names): string {
  return path.join(RESOLVERS_FOLDER, namespace(names, 'client'));
}

/** Removes every namespace (and with it every bridge and cable) of this lab. No process may be left inside. */
export async function removeNetwork(names: Names): Promise<void> {
  for (const file of await ownNamespaces(names)) await removeNamespace(file);
  await rm(resolverFolder(names), { recursive: true, force: true });
  await removeIfEmpty(RESOLVERS_FOLDER);
  await removeNetnsFolder();
}

async function removeNamespace(file: string): Promise<void> {
  await run('ip', ['netns', 'delete', path.basename(file)]).catch(async (error: unknown) => {
    if (!(error instanceof CommandFailedError)) throw error;
    await rm(file, { force: true }); // a plain file is left of an `ip netns add` that was killed half-way
  });
}

/** A machine's first `ip netns add` mounts the folder on itself; with the last namespace it goes. */
async function removeNetnsFolder(): Promise<void> {
  if ((await namespaces()).length > 0) return;
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').map((line) => line.split(' ')[1]);
  for (const mount of mounts) if (mount === NETNS_FOLDER) await run('umount', [NETNS_FOLDER]);
  await removeIfEmpty(NETNS_FOLDER);
}

async function removeIfEmpty(folder: string): Promise<void> {
  if ((await exists(folder)) && (await readdir(folder)).length === 0) await rmdir(folder);
}

// --- faults --------------------------------------------------------------------------------------------------------

export type Cut =
  | { readonly kind: 'isolate' | 'isolate-in' | 'isolate-out'; readonly place: Place }
  | { readonly kind: 'partition'; readonly place: Place; readonly other: Place };

/** The router's rules for a set of cuts, as one atomic nft script. Exported for tests. */
export function faultRules(names: Names, cuts: readonly Cut[]): string {
  const rules = cuts.flatMap((cut) => {
    const from = `ip saddr ${subnet(names, cut.place)}`;
    const to = `ip daddr ${subnet(names, cut.place)}`;
    switch (cut.kind) {
      case 'isolate':
        return [`${from} drop`, `${to} drop`];
      case 'isolate-in':
        return [`${to} drop`];
      case 'isolate-out':
        return [`${from} drop`];
      case 'partition': {
        const other = subnet(names, cut.other);
        return [`${from} ip daddr ${other} drop`, `${to} ip saddr ${other} drop`];
      }
    }
  });
  // One statement a line: nft takes no closing bracket on the line of a rule.
  return `table inet faults
delete table inet faults
table inet faults {
  chain forward {
    type filter hook forward priority 0
${rules.map((rule) => `    ${rule}\n`).join('')}  }
  chain output {
    type filter hook output priority 0
    # The router does not answer for a server without power: packets to it vanish.
    icmp type destination-unreachable drop
  }
}
`;
}

export async function setFaults(names: Names, cuts: readonly Cut[], file: string): Promise<void> {
  await run('ip', ['netns', 'exec', namespace(names, WAN), 'nft', '-f', '-'], {
    input: faultRules(names, cuts),
  });
  await writeFile(file, JSON.stringify(cuts));
}

export async function currentFaults(file: string): Promise<Cut[]> {
  return (await exists(file)) ? (JSON.parse(await readFile(file, 'utf8')) as Cut[]) : [];
}

/**
 * Makes every second request to a local port of a server fail, whoever sends it: whether checks fail is then a matter of
 * chance, as with a bad cable. A request is a packet that is to be handed over at once.
 */
export async function setFlakyPort(names: Names, server: Server, port: number | null): Promise<void> {
  const rule =
    port === null
      ? ''
      : `    iifname "lo" tcp dport ${port} tcp flags & psh == psh numgen inc mod 2 == 0 reject with tcp reset\n`;
  await run('ip', ['netns', 'exec', namespace(names, server.name), 'nft', '-f', '-'], {
    input: `table inet lab_flaky
delete table inet lab_flaky
table inet lab_flaky {
  chain input {
    type filter hook input priority 10
${rule}  }
}
`,
  });
}
