/**
 * Puts the faulty proxy in front of the witness's object store and takes it away again. The store itself moves to a
 * loopback port meanwhile, by a drop-in of its unit that does not outlive a power cut, as the proxy does not.
 */
import { spawn } from 'node:child_process';
import { open, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { exists, REPOSITORY } from '../../tools/cache';
import { isRunning, MachineError } from '../machine';
import { LAB_FOLDER, namespace, namesFor, serverOf, ZONE } from '../names';
import { CA_FILE, certificateOf } from '../pki';
import { isAlive, killAll, MARKER, startTime, type ProcessId } from '../processes';
import { ssh } from '../world';
import type { ProxyCommand } from './main';
import { faultsIn } from './proxy';
import type { StoreFaults } from './verdict';

const UNIT = 'failover-objectstore';
const STORE_PORT = 7070;
const MOVED_PORT = 7071;
const DROP_IN = `/run/systemd/system/${UNIT}.service.d/lab-faults.conf`;
const START_LIMIT_MS = 20_000;
const WITNESS = serverOf('witness', 1);

const file = (name: string): string => path.join(LAB_FOLDER, `store-${name}`);
const FAULTS = file('faults.json');
const PROCESS = file('proxy.json');
const LOG = file('proxy.log');

/** Adds a fault to those that the store has already. */
export async function breakStore(fault: StoreFaults): Promise<void> {
  if (!(await isRunning(WITNESS))) throw new MachineError(WITNESS.name, 'is off', 'its store cannot be slow');
  const before = (await proxyRuns()) ? faultsIn(FAULTS) : {};
  await writeFile(FAULTS, JSON.stringify({ ...before, ...fault }));
  if (await proxyRuns()) return;
  await startProxy(() =>
    ssh(namesFor(), WITNESS, [
      `mkdir -p ${path.dirname(DROP_IN)} &&`,
      `printf '[Service]\\nEnvironment=VGW_PORT=127.0.0.1:${MOVED_PORT}\\n' > ${DROP_IN} &&`,
      `systemctl daemon-reload && systemctl restart ${UNIT}`,
    ]),
  );
}

/** The store itself answers again, without faults. Does nothing where it does. */
export async function mendStore(): Promise<void> {
  const proxy = await currentProxy();
  if (proxy === null) return;
  if (await isAlive(proxy)) await killAll([proxy.pid]);
  // A power cut has mended a witness that is off.
  if (await isRunning(WITNESS)) {
    await ssh(namesFor(), WITNESS, [
      `if [ -e ${DROP_IN} ]; then rm -f ${DROP_IN} && systemctl daemon-reload && systemctl restart ${UNIT}; fi`,
    ]);
  }
  await rm(FAULTS, { force: true });
  await rm(PROCESS, { force: true });
}

async function currentProxy(): Promise<ProcessId | null> {
  return (await exists(PROCESS)) ? (JSON.parse(await readFile(PROCESS, 'utf8')) as ProcessId) : null;
}

async function proxyRuns(): Promise<boolean> {
  const proxy = await currentProxy();
  return proxy !== null && (await isAlive(proxy));
}

/** In the witness's network, marked as one of its processes: a power cut ends it with the rest. */
async function startProxy(makeRoom: () => Promise<unknown>): Promise<void> {
  const { certificate, key } = certificateOf('witness');
  const command: ProxyCommand = {
    host: `witness.${ZONE}`,
    port: STORE_PORT,
    upstreamPort: MOVED_PORT,
    certificateFile: certificate,
    keyFile: key,
    authorityFile: CA_FILE,
    faultsFile: FAULTS,
    readyFile: file('proxy.ready'),
  };
  await rm(command.readyFile, { force: true });
  await writeFile(file('proxy.command'), JSON.stringify(command));
  const names = namesFor();
  const log = await open(LOG, 'w');
  const child = spawn(
    'ip',
    [
      ...['netns', 'exec', namespace(names, WITNESS.name), process.execPath],
      ...['-r', path.join(REPOSITORY, 'node_modules/ts-node/register/transpile-only')],
      ...[path.join(__dirname, 'main.ts'), file('proxy.command')],
    ],
    {
      cwd: '/',
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      env: {
        PATH: process.env['PATH'] ?? '',
        TS_NODE_TRANSPILE_ONLY: 'true',
        TS_NODE_PROJECT: path.join(REPOSITORY, 'tsconfig.json'),
        [MARKER]: `${names.prefix}-${WITNESS.name}`,
      },
    },
  );
  await log.close();
  child.unref();
  const pid = child.pid ?? 0;
  const began = await startTime(pid);
  if (began === null) throw new MachineError(WITNESS.name, 'got no proxy before its store', await logText());
  await writeFile(PROCESS, JSON.stringify({ pid, startTime: began } satisfies ProcessId));
  await makeRoom();
  const deadline = Date.now() + START_LIMIT_MS;
  while (!(await exists(command.readyFile))) {
    if (Date.now() > deadline || (await startTime(pid)) === null)
      throw new MachineError(WITNESS.name, 'got no proxy before its store', await logText());
    await delay(20);
  }
}

const logText = (): Promise<string> => readFile(LOG, 'utf8').catch(() => '');
