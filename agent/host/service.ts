import type { Converger } from './converge';
import { type LiveList, replaceList } from './edge/live-lists';
import { NotReadyError } from './errors';
import { hideSecrets } from './hide-secrets';
import { BUNDLE_PATH, CREDENTIALS_DIRECTORY, STAMPS_DIRECTORY, STATE_DIRECTORY, unitPath } from './paths';
import type { HostPort } from './port';

/** A unit and what it reads: it is restarted when one of these changed since it was last started well, and only then. */
export interface ManagedUnit {
  readonly name: string;
  readonly content: string;
  /** Files read once, at start. The unit file itself need not be named. */
  readonly inputs: readonly string[];
  /** Files that a reload is enough for. */
  readonly reloadable?: readonly string[];
  /** Files whose lines a running program takes over by its socket; a reload reads them too. */
  readonly live?: LiveLists;
  readonly enable?: boolean;
  /** False for a service that a timer starts. */
  readonly start?: boolean;
  /** Asked until it answers null; a text says why not yet. */
  readonly ready?: { readonly timeoutSeconds: number; readonly probe: () => Promise<string | null> };
}

export interface LiveLists {
  readonly socket: string;
  readonly lists: readonly LiveList[];
}

type Digests = Record<string, string>;
interface Stamp {
  readonly inputs: Digests;
  readonly reloadable: Digests;
  /** As it was last handed over. */
  readonly live?: LiveLists & { readonly digests: Digests };
}

interface UnitState {
  readonly activeState: string;
  readonly unitFileState: string;
  readonly needsReload: boolean;
  readonly restarts: number;
}

const stampPath = (unit: string): string => `${STAMPS_DIRECTORY}/${unit}.json`;

export async function unitState(host: HostPort, name: string): Promise<UnitState> {
  const result = await host.run('systemctl', [
    'show',
    name,
    '--property=ActiveState,UnitFileState,NeedDaemonReload,NRestarts',
  ]);
  const values = new Map(
    result.stdout.split('\n').map((line): [string, string] => {
      const at = line.indexOf('=');
      return [line.slice(0, at), line.slice(at + 1)];
    }),
  );
  return {
    activeState: values.get('ActiveState') ?? 'unknown',
    unitFileState: values.get('UnitFileState') ?? '',
    needsReload: values.get('NeedDaemonReload') === 'yes',
    restarts: Number(values.get('NRestarts') ?? 0),
  };
}

export async function ensureUnit(converger: Converger, unit: ManagedUnit): Promise<void> {
  const { host } = converger;
  await converger.journal.record(converger.section, { kind: 'unit', name: unit.name });
  await converger.file(unitPath(unit.name), unit.content);
  let state = await unitState(host, unit.name);
  if (state.needsReload) {
    // Only when systemd says so: a needless daemon-reload can take the GPUs from running containers.
    await converger.command('systemctl', ['daemon-reload']);
    state = await unitState(host, unit.name);
  }
  if (unit.enable !== false && state.unitFileState !== 'enabled') {
    await converger.command('systemctl', ['enable', '--quiet', unit.name]);
    converger.changed(`enabled ${unit.name}`);
  }
  if (unit.start === false) return;
  const wanted = await digestsOf(host, unit);
  const stamp = await readStamp(host, unit.name);
  const running = state.activeState === 'active' || state.activeState === 'reloading';
  if (running && stamp !== null && sameDigests(stamp.inputs, wanted.inputs)) {
    if (sameDigests(stamp.reloadable, wanted.reloadable)) {
      if (sameLive(stamp, wanted)) return;
      await handOverLive(host, unit.name, wanted, (what) => converger.changed(what));
    } else {
      await converger.command('systemctl', ['reload', unit.name]);
      converger.changed(`reloaded ${unit.name}`);
    }
  } else {
    const fresh = state.activeState === 'inactive';
    await host.run('systemctl', ['reset-failed', unit.name]);
    const result = await host.run('systemctl', ['restart', unit.name], { timeoutSeconds: 3600 });
    if (result.code !== 0) {
      throw new NotReadyError(
        `${unit.name} did not start: ${result.stderr.trim()}. Its last lines: ${await lastLines(host, unit.name)}`,
      );
    }
    converger.changed(`${fresh ? 'started' : 'restarted'} ${unit.name}`);
  }
  await waitUntilReady(host, unit);
  // Last, so that a kill before this point repeats the start instead of leaving a half-started unit for good.
  await writeStamp(host, unit.name, wanted);
}

/**
 * Restarts every running unit whose files changed under it, or less where that is enough, whatever section it is of: a new
 * bundle or a new credential reaches all that use it. Units in `except` are settled by their own sections.
 */
export async function settleUnits(
  host: HostPort,
  except: ReadonlySet<string>,
  changed: (what: string) => void,
): Promise<void> {
  for (const file of (await host.listDirectory(STAMPS_DIRECTORY)).sort()) {
    const name = file.replace(/\.json$/, '');
    if (except.has(name)) continue;
    const stamp = await readStamp(host, name);
    if (stamp === null) continue;
    const wanted = await digestsOf(host, {
      name,
      inputs: Object.keys(stamp.inputs).filter((path) => path !== unitPath(name)),
      reloadable: Object.keys(stamp.reloadable),
      ...(stamp.live === undefined ? {} : { live: stamp.live }),
    });
    const reloads = sameDigests(stamp.inputs, wanted.inputs);
    if (reloads && sameDigests(stamp.reloadable, wanted.reloadable)) {
      if (sameLive(stamp, wanted)) continue;
      // One that does not run reads them when it starts.
      if ((await unitState(host, name)).activeState === 'active')
        await handOverLive(host, name, wanted, changed);
      await writeStamp(host, name, wanted);
      continue;
    }
    const verb = reloads ? 'try-reload-or-restart' : 'try-restart';
    const result = await host.run('systemctl', [verb, name], { timeoutSeconds: 3600 });
    if (result.code !== 0) {
      throw new NotReadyError(
        `${name} did not come back after a file it reads changed: ${result.stderr.trim()}. ` +
          `Its last lines: ${await lastLines(host, name)}`,
      );
    }
    changed(`${reloads ? 'reloaded' : 'restarted'} ${name}`);
    await writeStamp(host, name, wanted);
  }
}

async function handOverLive(
  host: HostPort,
  unit: string,
  { live }: Stamp,
  changed: (what: string) => void,
): Promise<void> {
  if (live === undefined) return;
  const problems: string[] = [];
  for (const list of live.lists) {
    const problem = await replaceList(host, live.socket, list);
    if (problem !== null) problems.push(problem);
  }
  if (problems.length === 0) {
    changed(`gave ${unit} its new keys`);
    return;
  }
  // A key that is gone must not go on opening doors because a socket does not answer.
  const result = await host.run('systemctl', ['reload', unit]);
  if (result.code !== 0) {
    throw new NotReadyError(
      `${unit} took its new keys neither while it ran (${problems.join('; ')}) nor by a reload: ` +
        `${result.stderr.trim()}. Its last lines: ${await lastLines(host, unit)}`,
    );
  }
  changed(`reloaded ${unit}, which did not take its new keys otherwise: ${problems.join('; ')}`);
}

export async function forgetStamp(host: HostPort, unit: string): Promise<void> {
  await host.removeFile(stampPath(unit));
}

async function waitUntilReady(host: HostPort, unit: ManagedUnit): Promise<void> {
  if (unit.ready === undefined) return;
  const { timeoutSeconds, probe } = unit.ready;
  const end = host.nowSeconds() + timeoutSeconds;
  const startedWith = (await unitState(host, unit.name)).restarts;
  for (;;) {
    const waitingFor = await probe();
    if (waitingFor === null) return;
    const state = await unitState(host, unit.name);
    const restarts = state.restarts - startedWith;
    const gaveUp = state.activeState === 'failed' || restarts >= 3;
    if (gaveUp || host.nowSeconds() >= end) {
      const how = gaveUp
        ? `is ${state.activeState} after ${restarts} restarts`
        : `is not ready after ${timeoutSeconds} s`;
      throw new NotReadyError(
        `${unit.name} ${how} (${waitingFor}). Its last lines: ${await lastLines(host, unit.name)}`,
      );
    }
    await host.sleep(0.5);
  }
}

/** What the unit said last, without the value of any credential. */
export async function lastLines(host: HostPort, unit: string): Promise<string> {
  const result = await host.run('journalctl', ['--no-pager', '-o', 'cat', '-n', '20', '-u', unit]);
  const values: string[] = [];
  for (const name of await host.listDirectory(CREDENTIALS_DIRECTORY)) {
    values.push((await host.readFile(`${CREDENTIALS_DIRECTORY}/${name}`))?.toString('utf8') ?? '');
  }
  const text = hideSecrets(result.stdout.trim(), values);
  return text === '' ? 'none' : `\n${text}`;
}

async function digestsOf(
  host: HostPort,
  unit: Pick<ManagedUnit, 'name' | 'inputs' | 'reloadable' | 'live'>,
): Promise<Stamp> {
  const digest = async (paths: readonly string[]): Promise<Digests> => {
    const all: Digests = {};
    for (const path of paths) all[path] = (await host.sha256(path)) ?? 'absent';
    return all;
  };
  return {
    inputs: await digest([unitPath(unit.name), ...unit.inputs]),
    reloadable: await digest(unit.reloadable ?? []),
    ...(unit.live === undefined
      ? {}
      : {
          live: {
            socket: unit.live.socket,
            lists: unit.live.lists,
            digests: await digest(unit.live.lists.map(({ file }) => file)),
          },
        }),
  };
}

function sameDigests(a: Digests, b: Digests): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}

const sameLive = (a: Stamp, b: Stamp): boolean => sameDigests(a.live?.digests ?? {}, b.live?.digests ?? {});

async function readStamp(host: HostPort, unit: string): Promise<Stamp | null> {
  const content = await host.readFile(stampPath(unit));
  return content === null ? null : (JSON.parse(content.toString('utf8')) as Stamp);
}

async function writeStamp(host: HostPort, unit: string, stamp: Stamp): Promise<void> {
  await host.makeDirectory(STATE_DIRECTORY);
  await host.makeDirectory(STAMPS_DIRECTORY);
  await host.writeFile(stampPath(unit), Buffer.from(`${JSON.stringify(stamp)}\n`), 0o600);
}

/** Units that run the bundle restart when it changes. */
export const BUNDLE_INPUTS: readonly string[] = [BUNDLE_PATH];
