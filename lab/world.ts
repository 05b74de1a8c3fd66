/** The lab as a whole: up, status, down, power and faults. Every command does nothing where nothing is to be done. */
import { copyFile, mkdir, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ensureDebianPackages } from '../tools/artifacts/debian-packages';
import { ensureRestic } from '../tools/artifacts/restic';
import { ensureVersitygw } from '../tools/artifacts/versitygw';
import { exists, progress, REPOSITORY } from '../tools/cache';
import { ensureEngine } from '../tools/engine';
import { run } from '../tools/run';
import { ensureBaseImage, REPOSITORY_PATH } from './base-image';
import { ON_SERVER } from './config';
import {
  consoleTail,
  diskFolder,
  isRunning,
  makeDisk,
  MachineError,
  pidsOf,
  powerOff,
  powerOn,
  type Mount,
} from './machine';
import { ensureModel } from './model/ensure';
import {
  address,
  LAB_FOLDER,
  namespace,
  namesFor,
  servers,
  SERVER_PLACES,
  UnknownNameError,
  type Names,
  type Place,
  type Server,
  type ServerPlace,
} from './names';
import {
  currentFaults,
  ensureClientNetwork,
  ensureServerNetwork,
  ensureWan,
  namespaces,
  ownNamespaces,
  removeNetwork,
  resolverText,
  setCable,
  setFaults,
  setFlakyPort,
  type Cut,
} from './network';
import { ensurePki } from './pki';
import { killAll, markedProcesses, processesIn } from './processes';
import { ensureQdrantShell } from './qdrant-shell/ensure';
import { ensureOperatorKey, identityFiles, sshOptions } from './ssh-keys';
import { ensureVllm } from './vllm';

const WORLD_FILE = path.join(LAB_FOLDER, 'world.json');
const FAULTS_FILE = path.join(LAB_FOLDER, 'faults.json');
const BOOT_TIMEOUT_MS = 60_000;
const PACKAGES = [
  ...[
    'systemd-container',
    'debootstrap',
    'iproute2',
    'nftables',
    'openssh-client',
    'openssh-server',
    'openssl',
  ],
  ...[
    'procps',
    'haproxy',
    'sqlite3',
    'python3',
    'python3-pip',
    'python3-venv',
    'curl',
    'pdns-server',
    'pdns-backend-sqlite3',
  ],
];

/** Another checkout's lab has the names that this one would take. */
export class NamesTakenError extends Error {
  readonly code = 'NAMES_TAKEN';
  constructor(prefix: string, owner: string) {
    super(
      `The names ${prefix}-* belong to the lab of the checkout at ${owner}: take that one down (lab/lab down there), ` +
        'or move this checkout to another path',
    );
    this.name = 'NamesTakenError';
  }
}

/** The lab is not up, or not the part that is needed. */
export class LabDownError extends Error {
  readonly code = 'LAB_DOWN';
  constructor() {
    super('The lab is not up: lab/lab up starts it, make lab also deploys to it');
    this.name = 'LabDownError';
  }
}

/** The image that the servers' disks lie on is not the one that this checkout makes now. */
export class ImageChangedError extends Error {
  readonly code = 'IMAGE_CHANGED';
  constructor(before: string, now: string) {
    super(
      `The servers were made from ${path.basename(path.dirname(before))} and the image is ${path.basename(path.dirname(now))} now, ` +
        'which their disks do not fit: run lab/lab down, then lab/lab up',
    );
    this.name = 'ImageChangedError';
  }
}

/** Fewer servers than there are: what is deployed to them would be left without a machine. */
export class FewerServersError extends Error {
  readonly code = 'FEWER_SERVERS';
  constructor(place: ServerPlace, has: number, wanted: number) {
    super(`${place} has ${has} servers and ${wanted} are asked for: run lab/lab down first`);
    this.name = 'FewerServersError';
  }
}

interface World {
  readonly counts: Readonly<Record<ServerPlace, number>>;
  readonly image: string;
  readonly mounts: readonly Mount[];
  readonly modelFolder: string;
}

export async function readWorld(): Promise<World | null> {
  const text = await readFile(WORLD_FILE, 'utf8').catch(() => null);
  return text === null ? null : (JSON.parse(text) as World);
}

async function requireWorld(): Promise<World> {
  const world = await readWorld();
  if (world === null) throw new LabDownError();
  return world;
}

// --- up --------------------------------------------------------------------------------------------------------------

/** Everything that is built or downloaded once. The slow ones that only wait for the network run beside the compiling. */
export async function prepare(): Promise<Omit<World, 'counts'>> {
  await ensureDebianPackages(PACKAGES);
  const [image, [model], qdrant, [versitygw, restic]] = await Promise.all([
    ensureBaseImage(),
    ensureVllm().then(async (vllm) => [await ensureModel(), vllm] as const),
    ensureQdrant(),
    ensureEngine().then(async () => [await ensureVersitygw(), await ensureRestic()] as const),
  ]);
  return {
    image: image.root,
    modelFolder: model,
    mounts: [
      { from: image.packages, to: REPOSITORY_PATH },
      { from: await ensureVllm(), to: ON_SERVER.vllm },
      { from: path.join(REPOSITORY, 'lab', 'vllm-plugins'), to: ON_SERVER.vllmPlugins },
      { from: qdrant, to: ON_SERVER.qdrant },
      { from: path.dirname(versitygw), to: ON_SERVER.versitygw },
      { from: path.dirname(restic), to: ON_SERVER.restic },
      { from: model, to: ON_SERVER.model },
    ],
  };
}

/** The folder mounted as Qdrant: a real server's binary where QDRANT_BIN names one, else the engine behind a shell. */
async function ensureQdrant(): Promise<string> {
  const binary = process.env['QDRANT_BIN'];
  if (binary === undefined || binary === '') return (await ensureQdrantShell()).folder;
  if (!(await exists(binary)))
    throw new Error(`QDRANT_BIN=${binary}: there is no such file; name a Qdrant server's executable`);
  const folder = path.join(LAB_FOLDER, 'qdrant');
  await mkdir(folder, { recursive: true });
  await copyFile(binary, path.join(folder, 'qdrant'));
  await run('chmod', ['755', folder, path.join(folder, 'qdrant')]);
  progress(`Qdrant: the real server ${(await run(path.join(folder, 'qdrant'), ['--version'])).trim()}`);
  return folder;
}

export async function up(wanted: Partial<Record<ServerPlace, number>>): Promise<void> {
  const names = namesFor();
  const before = await readWorld();
  const counts = grow({ uk: 1, eu: 1, witness: 1, ...before?.counts }, wanted);
  await takeNames(names);
  const world: World = { counts, ...(await prepare()) };
  if (before !== null && before.image !== world.image) throw new ImageChangedError(before.image, world.image);
  await mkdir(LAB_FOLDER, { recursive: true });
  await writeFile(WORLD_FILE, JSON.stringify(world, null, 2));
  await ensurePki();
  await ensureOperatorKey();
  await ensureWan(names);
  await ensureClientNetwork(names);
  for (const cut of await currentFaults(FAULTS_FILE)) progress(`mending: ${Object.values(cut).join(' ')}`);
  await setFaults(names, [], FAULTS_FILE);
  const started = Date.now();
  const all = servers(counts);
  const running = (await Promise.all(all.map(isRunning))).filter(Boolean).length;
  await Promise.all(all.map((server) => boot(names, server, world)));
  progress(
    running === all.length
      ? `the lab is up: ${all.map((server) => server.name).join(', ')}`
      : `${all.map((server) => server.name).join(', ')} answer SSH after ${((Date.now() - started) / 1000).toFixed(1)} s`,
  );
}

/** Servers may join a lab that is up. Exported for tests. */
export function grow(
  has: Readonly<Record<ServerPlace, number>>,
  wanted: Partial<Record<ServerPlace, number>>,
): Record<ServerPlace, number> {
  for (const place of SERVER_PLACES) {
    const count = wanted[place];
    if (count !== undefined && count < has[place]) throw new FewerServersError(place, has[place], count);
  }
  return { ...has, ...wanted };
}

async function boot(names: Names, server: Server, world: World): Promise<void> {
  if (!(await isRunning(server))) {
    await powerOff(names, server); // what an interruption may have left
    await ensureServerNetwork(names, server);
    await makeDisk(
      server,
      new Map([
        ...(await identityFiles(server.name)),
        ['etc/resolv.conf', { text: resolverText(names), mode: 0o644 }],
      ]),
    );
    await powerOn(names, server, world.image, world.mounts);
  }
  await ensureServerNetwork(names, server);
  await untilSsh(names, server);
}

async function untilSsh(names: Names, server: Server): Promise<void> {
  const deadline = Date.now() + BOOT_TIMEOUT_MS;
  for (;;) {
    const answered = await ssh(names, server, ['true']).then(
      () => true,
      () => false,
    );
    if (answered) return;
    if (Date.now() > deadline || !(await isRunning(server)))
      throw new MachineError(
        server.name,
        `did not answer SSH within ${BOOT_TIMEOUT_MS / 1000} s`,
        await consoleTail(server),
      );
    await delay(100);
  }
}

const registry = (names: Names): string => `/run/failover-lab-${names.prefix}`;

/** A link in /run says whose the names are; it goes with the lab. */
async function takeNames(names: Names): Promise<void> {
  try {
    await symlink(REPOSITORY, registry(names));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    await refuseTakenNames(names);
  }
}

async function refuseTakenNames(names: Names): Promise<void> {
  const owner = await readlink(registry(names)).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return REPOSITORY;
    throw error;
  });
  if (owner !== REPOSITORY) throw new NamesTakenError(names.prefix, owner);
}

// --- down and status -------------------------------------------------------------------------------------------------

/** Takes everything down; disks, state and keys of this lab go too. What was built once stays in the cache. */
export async function down(): Promise<void> {
  const names = namesFor();
  await refuseTakenNames(names);
  const world = await readWorld();
  const disks = await readdir(path.join(LAB_FOLDER, 'servers')).catch(() => [] as string[]);
  const known = servers(world?.counts ?? { uk: 0, eu: 0, witness: 0 }).map((server) => server.name);
  for (const name of new Set([...known, ...disks])) await powerOff(names, findServer(name));
  await killAll(await markedProcesses(`${names.prefix}-`));
  const inside = await processesIn(await ownNamespaces(names));
  if (inside.length > 0) progress(`ending ${inside.length} processes that still use the lab's network`);
  await killAll(inside);
  await removeNetwork(names);
  await rm(LAB_FOLDER, { recursive: true, force: true });
  await rm(registry(names), { force: true });
  progress('the lab is down');
}

export interface ServerStatus {
  readonly name: string;
  readonly address: string;
  readonly running: boolean;
}

export async function status(): Promise<{
  up: boolean;
  prefix: string;
  servers: ServerStatus[];
  faults: Cut[];
}> {
  const names = namesFor();
  const world = await readWorld();
  const list = await Promise.all(
    servers(world?.counts ?? { uk: 0, eu: 0, witness: 0 }).map(async (server) => ({
      name: server.name,
      address: address(names, server.place, server.index),
      running: await isRunning(server),
    })),
  );
  const client = (await namespaces()).includes(namespace(names, 'client'));
  return {
    up: world !== null && client && list.length > 0 && list.every((server) => server.running),
    prefix: names.prefix,
    servers: list,
    faults: await currentFaults(FAULTS_FILE),
  };
}

// --- faults ----------------------------------------------------------------------------------------------------------

export function findServer(name: string): Server {
  const match = /^(uk|eu|witness)-(\d+)$/.exec(name);
  if (match === null) throw new UnknownNameError('server', name, ['uk-1', 'eu-1', 'witness-1']);
  return { name, place: match[1] as ServerPlace, index: Number(match[2]) };
}

/** A place's servers, or the one server named. */
async function targets(word: string): Promise<Server[]> {
  const { counts } = await requireWorld();
  const found = servers(counts).filter((server) => server.place === word || server.name === word);
  if (found.length === 0)
    throw new UnknownNameError('place or server', word, [
      ...SERVER_PLACES,
      ...servers(counts).map((server) => server.name),
    ]);
  return found;
}

/** Power loss of a place or a server: packets vanish at the same moment. */
export async function killTargets(word: string): Promise<void> {
  const names = namesFor();
  const victims = await targets(word);
  // All cables first: not one packet tells the others that these servers are going.
  for (const server of victims) await setCable(names, server, 'down');
  for (const server of victims) await powerOff(names, server);
}

/** Switches a place or a server on again, with its disk as it was. */
export async function revive(word: string): Promise<void> {
  const world = await requireWorld();
  await Promise.all((await targets(word)).map((server) => boot(namesFor(), server, world)));
}

export async function addCut(cut: Cut): Promise<void> {
  await requireWorld();
  const same = JSON.stringify(cut);
  const cuts = (await currentFaults(FAULTS_FILE)).filter((other) => JSON.stringify(other) !== same);
  await setFaults(namesFor(), [...cuts, cut], FAULTS_FILE);
}

/** Every cut of the network is mended. */
export async function heal(): Promise<void> {
  await requireWorld();
  await setFaults(namesFor(), [], FAULTS_FILE);
}

/** Sends a signal to the processes of a unit whose command line matches; answers how many. */
export async function signal(
  word: string,
  unit: string,
  pattern: string,
  name: NodeJS.Signals,
): Promise<number> {
  const matcher = new RegExp(pattern);
  let count = 0;
  for (const server of await targets(word))
    for (const pid of await pidsOf(namesFor(), server, unit)) {
      const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ');
      if (!matcher.test(words)) continue;
      process.kill(pid, name);
      count += 1;
    }
  if (count === 0)
    throw new Error(`${word} has no process of ${unit} that matches /${pattern}/: nothing was signalled`);
  return count;
}

/** A process that hangs and goes on, again and again; one that is being restarted meanwhile is waited for. */
export async function flap(
  word: string,
  unit: string,
  pattern: string,
  rhythm: { readonly offSeconds: number; readonly onSeconds: number; readonly times: number },
): Promise<void> {
  const every = async (name: NodeJS.Signals): Promise<unknown> =>
    signal(word, unit, pattern, name).catch(() => 0);
  for (let turn = 0; turn < rhythm.times; turn += 1) {
    await every('SIGSTOP');
    await delay(rhythm.offSeconds * 1000);
    await every('SIGCONT');
    await delay(rhythm.onSeconds * 1000);
  }
}

/** A unit whose processes die, and which fails whenever it is started again, as an engine does whose GPU is gone. */
export async function breakUnit(word: string, unit: string): Promise<void> {
  const dropIn = `/run/systemd/system/${unit}.service.d`;
  for (const server of await targets(word))
    await ssh(namesFor(), server, [
      `mkdir -p ${dropIn} && printf '[Service]\nExecStartPre=/bin/false\n' > ${dropIn}/broken.conf &&`,
      `systemctl daemon-reload && systemctl kill --signal=SIGKILL ${unit}`,
    ]);
}

/** A unit that was broken is whole again, and started. */
export async function mendUnit(word: string, unit: string): Promise<void> {
  for (const server of await targets(word))
    await ssh(namesFor(), server, [
      `rm -f /run/systemd/system/${unit}.service.d/broken.conf && systemctl daemon-reload &&`,
      `systemctl reset-failed ${unit} && systemctl start --no-block ${unit}`,
    ]);
}

/** Every second request to a local port of the servers finds its connection reset; null mends it. */
export async function setFlaky(word: string, port: number | null): Promise<void> {
  for (const server of await targets(word)) await setFlakyPort(namesFor(), server, port);
}

// --- reaching in -----------------------------------------------------------------------------------------------------

/** Words that run a command inside a place's (first server's) namespace. */
export function inside(names: Names, place: Place): string[] {
  return ['netns', 'exec', namespace(names, place === 'client' ? 'client' : `${place}-1`)];
}

export async function sshWords(names: Names, server: Server): Promise<string[]> {
  const at = address(names, server.place, server.index);
  const options = await sshOptions(server.name, at, path.join(diskFolder(server), 'known_hosts'));
  return [...inside(names, 'client'), 'ssh', ...options, `root@${at}`];
}

/** Runs a command on a server as the operator's key lets one. */
export async function ssh(names: Names, server: Server, command: readonly string[]): Promise<string> {
  return run('ip', [...(await sshWords(names, server)), ...command], { timeoutMs: 20_000 });
}
