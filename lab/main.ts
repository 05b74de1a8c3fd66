/** `lab/lab`: the command line of the lab. */
import { spawn } from 'node:child_process';
import { Command, Option } from 'commander';
import { progress, REPOSITORY, withLock } from '../tools/cache';
import { writeConfig } from './config';
import { deploy, destroy, engineEnvironment, engineWords } from './engine';
import { namesFor, placeOf, SERVER_PLACES, UnknownNameError, type ServerPlace } from './names';
import { breakStore, mendStore } from './store-faults/control';
import type { StoreFaults } from './store-faults/verdict';
import { TIMINGS, type Timings } from './timings';
import * as world from './world';

const program = new Command('lab')
  .description('Two sites and a witness as real servers on this machine')
  .enablePositionalOptions();

program
  .command('up')
  .description('boot the servers; builds what is missing')
  .option('--servers <place=n...>', 'servers in a place, such as uk=2')
  .action(async (options: { servers?: string[] }) =>
    alone(async () => {
      await world.up(counts(options.servers ?? []));
      await mendStore();
    }),
  );

program
  .command('prepare')
  .description('build what is missing, boot nothing')
  .action(async () => void (await world.prepare()));

program
  .command('down')
  .description('take everything down')
  .action(() => alone(world.down));

program
  .command('status')
  .description('what is running; exit 1 where the lab is not up')
  .option('--json')
  .action(async (options: { json?: boolean }) => {
    const status = await world.status();
    process.stdout.write(
      options.json
        ? `${JSON.stringify(status, null, 2)}\n`
        : [
            `lab ${status.prefix}: ${status.up ? 'up' : 'not up'}`,
            ...status.servers.map(
              (s) => `  ${s.name.padEnd(12)} ${s.address.padEnd(15)} ${s.running ? 'running' : 'off'}`,
            ),
            ...status.faults.map((cut) => `  fault: ${Object.values(cut).join(' ')}`),
            '',
          ].join('\n'),
    );
    process.exitCode = status.up ? 0 : 1;
  });

program
  .command('config')
  .description("write the lab's stack files")
  .addOption(new Option('--timings <set>').choices(TIMINGS).default('compressed'))
  .option('--set <key=value...>', 'more configuration for all stacks; values are JSON or text')
  .action(async (options: { timings: Timings; set?: string[] }) => {
    const state = await world.readWorld();
    if (state === null) throw new world.LabDownError();
    await writeConfig({
      names: namesFor(),
      counts: state.counts,
      timings: options.timings,
      modelFolder: state.modelFolder,
      overrides: Object.fromEntries((options.set ?? []).map(assignment)),
    });
    progress(`wrote the stack files with ${options.timings} timings`);
  });

program
  .command('deploy')
  .description('pulumi up of the three stacks, and the weights in between')
  .action(async () => {
    const state = await world.readWorld();
    if (state === null) throw new world.LabDownError();
    await deploy(state.modelFolder);
  });
program.command('destroy').description('pulumi destroy of the three stacks').action(destroy);

program
  .command('pulumi')
  .description('the engine on the lab, such as: lab/lab pulumi up --stack uk-primary')
  .passThroughOptions()
  .allowUnknownOption()
  .helpOption(false)
  .argument('[words...]')
  .action(async (words: string[]) => {
    const { words: command, env } = await engineWords(words);
    await handOver('ip', command, env);
  });

program
  .command('env')
  .description('environment in which the engine finds the lab')
  .action(async () => {
    const env = await engineEnvironment();
    for (const key of ['PATH', ...Object.keys(env).filter((name) => name.startsWith('PULUMI_'))])
      process.stdout.write(`export ${key}='${env[key] ?? ''}'\n`);
  });

program
  .command('exec')
  .description("run a command in a place's network, with the lab's resolver")
  .passThroughOptions()
  .option('--in <place>', 'client, uk, eu or witness', 'client')
  .argument('<words...>')
  .action(async (words: string[], options: { in: string }) =>
    handOver('ip', [...world.inside(namesFor(), placeOf(options.in)), ...words], {
      ...process.env,
      LAB_OUTSIDE: String(process.pid),
    }),
  );

program
  .command('ssh')
  .description('log in to a server as root')
  .passThroughOptions()
  .argument('<server>')
  .argument('[words...]')
  .action(async (server: string, words: string[]) =>
    handOver('ip', [...(await world.sshWords(namesFor(), world.findServer(server))), ...words], process.env),
  );

const fault = program.command('fault').description('break something, or mend it');
fault
  .command('kill <target>')
  .description('power loss of a place or a server')
  .action((target: string) => alone(() => world.killTargets(target)));
fault
  .command('revive <target>')
  .description('switch it on again, its disk as it was')
  .action((target: string) => alone(() => world.revive(target)));
for (const kind of ['isolate', 'isolate-in', 'isolate-out'] as const)
  fault
    .command(`${kind} <place>`)
    .description(
      { isolate: 'cut a place off', 'isolate-in': 'nothing gets in', 'isolate-out': 'nothing gets out' }[
        kind
      ],
    )
    .action(async (place: string) => alone(() => world.addCut({ kind, place: placeOf(place) })));
fault
  .command('partition <place> <other>')
  .description('cut two places off from each other')
  .action(async (place: string, other: string) =>
    alone(() => world.addCut({ kind: 'partition', place: placeOf(place), other: placeOf(other) })),
  );
fault
  .command('heal')
  .description('mend every cut of the network')
  .action(() => alone(world.heal));
for (const [name, signal] of [
  ['stop-process', 'SIGSTOP'],
  ['cont-process', 'SIGCONT'],
  ['kill-process', 'SIGKILL'],
] as const)
  fault
    .command(`${name} <target> <unit> [pattern]`)
    .description(`${signal} to the unit's processes whose command line matches`)
    .action(async (target: string, unit: string, pattern: string | undefined) => {
      const count = await world.signal(target, unit, pattern ?? '.', signal);
      progress(`${signal} to ${count} process(es) of ${unit} on ${target}`);
    });

fault
  .command('break-unit <target> <unit>')
  .description('its processes die, and it fails at each start')
  .action(world.breakUnit);
fault
  .command('mend-unit <target> <unit>')
  .description('a broken unit is whole again, and started')
  .action(world.mendUnit);
fault
  .command('flap-process <target> <unit> <pattern> <offSeconds> <onSeconds> <times>')
  .description('SIGSTOP and SIGCONT in turn')
  .action(async (target: string, unit: string, pattern: string, off: string, on: string, times: string) => {
    const rhythm = { offSeconds: Number(off), onSeconds: Number(on), times: Number(times) };
    if (!Object.values(rhythm).every((value) => value > 0 && value <= 600))
      throw new Error(`flap-process: expected three numbers above 0, got ${off} ${on} ${times}`);
    await world.flap(target, unit, pattern, rhythm);
    progress(`${unit} on ${target} hung ${times} times for ${off} s`);
  });

fault
  .command('flaky-port <target> <port>')
  .description('every second request to a local port of its servers is reset')
  .action((target: string, port: string) => world.setFlaky(target, positive('flaky-port', port)));
fault
  .command('steady-port <target>')
  .description('no request is reset any more')
  .action((target: string) => world.setFlaky(target, null));

const storeFault = (word: string, about: string, faults: (value: string) => StoreFaults): void =>
  void fault
    .command(word)
    .description(`the witness's object store ${about}`)
    .action((value: string) => alone(() => breakStore(faults(value))));
storeFault('store-slow <seconds>', 'holds every request for so long', (value) => ({
  slowSeconds: positive('store-slow', value),
}));
storeFault('store-errors', 'answers 500 and 503, half of the writes carried out all the same', () => ({
  errors: true,
}));
storeFault('store-stale <seconds>', 'reads the lease as it was so long ago', (value) => ({
  staleSeconds: positive('store-stale', value),
}));
storeFault('store-lost-write <oneOf>', 'acknowledges one lease write in so many and forgets it', (value) => ({
  losesOneOf: positive('store-lost-write', value),
}));
fault
  .command('store-mend')
  .description("the witness's object store is well again")
  .action(() => alone(mendStore));

function positive(word: string, text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 65_535)) throw new Error(`${word}: expected a number above 0, got ${text}`);
  return value;
}

/** Commands that change the world wait for one another. */
async function alone(work: () => Promise<void>): Promise<void> {
  await withLock(`lab-${namesFor().prefix}`, 'another command is changing the lab', work);
}

function counts(words: readonly string[]): Partial<Record<ServerPlace, number>> {
  return Object.fromEntries(
    words.map((word) => {
      const [place = '', number = ''] = word.split('=');
      if (!SERVER_PLACES.includes(place as ServerPlace))
        throw new UnknownNameError('place', place, SERVER_PLACES);
      if (!/^[1-9]$/.test(number))
        throw new Error(`--servers ${word}: expected a number from 1 to 9, such as uk=2`);
      return [place, Number(number)];
    }),
  );
}

function assignment(word: string): [string, unknown] {
  const at = word.indexOf('=');
  if (at < 1) throw new Error(`--set ${word}: expected key=value`);
  const text = word.slice(at + 1);
  try {
    return [word.slice(0, at), JSON.parse(text)];
  } catch {
    return [word.slice(0, at), text]; // not JSON: plain text
  }
}

/** Runs a program in place of this one: its terminal, its status, its signals. */
async function handOver(file: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  const ignore = (): void => undefined; // the terminal sends the child the same signal
  process.on('SIGINT', ignore);
  const cwd = args.some((word) => word.endsWith('/pulumi')) ? REPOSITORY : process.cwd();
  const status = await new Promise<number>((resolve, reject) => {
    const child = spawn(file, [...args], { env, cwd, stdio: 'inherit' });
    process.on('SIGTERM', () => child.kill('SIGTERM'));
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 1));
  });
  process.exitCode = status;
}

program.parseAsync().catch((error: unknown) => {
  process.stderr.write(`lab: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
