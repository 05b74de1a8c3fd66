/**
 * A client that is a program of its own, in the runtime that users have. The program is told what to do by its environment
 * (DRILL_URL, DRILL_BODY, DRILL_CA_FILE, DRILL_PERIOD_MS, DRILL_TIMEOUT_MS) and by two lines on stdin: the key, which neither
 * a process list nor an environment should show, and the drill's clock in milliseconds, so that its times are the drill's.
 * It says `{"ready": …}` before it reads them, then one line as a request begins, `{seq, start}`, and one as it is over,
 * `{seq, start, end, ok, status, site, error}`. The end of stdin ends it, also when the drill was killed.
 */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import type { OperatorContext } from '../../../cli/context';
import { parseJson } from '../../../cli/context';
import { DrillAbortedError } from '../../../cli/errors';
import type { DrillClock } from '../../clock';
import type { ClientInfo } from '../../record';
import type { AttemptLog, DrillClient } from '../loop';
import { completion } from '../requests';
import type { RuntimeLaunch } from './launch';

/** To compile and load on a busy machine. */
const START_MS = 60_000;
/** What a busy machine may take to run a program that wants to tell of a deadline. */
const SLACK_MS = 1_000;
/** Beats in a row that must be missing before a program counts as hanging, and the least time for it. */
const MISSING_BEATS = 4;
const LEAST_SILENCE_MS = 3_000;

const Begun = z.strictObject({ seq: z.number(), start: z.number() });
const Over = Begun.extend({
  end: z.number(),
  ok: z.boolean(),
  status: z.number().nullable(),
  site: z.string().nullable(),
  address: z.string().nullish(),
  error: z.string().nullable(),
});
const Ready = z.strictObject({ ready: z.string() });
const Line = z.union([Ready, Over, Begun]);

export interface RuntimeOptions {
  readonly url: string;
  readonly key: string;
  readonly body: unknown;
  /** PEM; absent: the authorities that the runtime trusts by itself. */
  readonly caCertificate?: string | undefined;
  readonly periodMs: number;
  readonly timeoutMs: number;
  /** Something that a person should read in the report. */
  readonly onStep: (text: string) => void;
}

/** The same completion that the drill's own clients ask for, through the service name. */
export function runtimeOptions(
  context: OperatorContext,
  rest: Pick<RuntimeOptions, 'periodMs' | 'timeoutMs' | 'onStep'>,
): RuntimeOptions {
  const { call } = completion(context.modelName);
  return {
    url: `https://${context.service.host}:${context.service.port}${call.path}`,
    key: context.clientKey,
    body: call.body,
    caCertificate: context.caCertificate,
    periodMs: rest.periodMs,
    timeoutMs: rest.timeoutMs,
    onStep: rest.onStep,
  };
}

export function runtimeInfo(
  launch: RuntimeLaunch,
  options: Pick<RuntimeOptions, 'periodMs' | 'timeoutMs'>,
): ClientInfo {
  const { periodMs, timeoutMs } = options;
  return { name: launch.client, kind: 'runtime', what: 'inference', periodMs, timeoutMs };
}

export class RuntimeClient implements DrillClient {
  readonly info: ClientInfo;
  private child: ChildProcessWithoutNullStreams | null = null;
  private folder: string | null = null;
  private timer: NodeJS.Timeout | null = null;
  private stopping = false;
  /** Why there is no program any more. */
  private gone: string | null = null;
  /** What it said that is no line of the protocol: stack traces, mostly. */
  private said = '';
  private seq = 0;
  private lastBegun = 0;
  /** Requests without an outcome: by the program's number, the drill's number and the start. */
  private readonly open = new Map<number, { readonly seq: number; readonly start: number }>();
  private whenReady: (version: string) => void = () => undefined;
  private whenGone: (reason: string) => void = () => undefined;
  private readonly killNow = (): void => this.killGroup();

  constructor(
    private readonly launch: RuntimeLaunch,
    private readonly options: RuntimeOptions,
    private readonly clock: DrillClock,
    private readonly log: AttemptLog,
  ) {
    this.info = runtimeInfo(launch, options);
  }

  /** Starts the program, and waits until it could send its first request. */
  async prepare(): Promise<void> {
    const environment = await this.environment();
    if (this.stopping) return this.removeFolder();
    const ready = new Promise<string>((resolve, reject) => {
      this.whenReady = resolve;
      this.whenGone = (reason) =>
        reject(new DrillAbortedError(`the client ${this.info.name} did not start: ${reason}`));
    });
    const late = setTimeout(() => this.whenGone(`it is not ready after ${START_MS / 1000} s`), START_MS);
    // In a group of its own: Ctrl-C is for the drill, and whatever the program starts ends with it.
    const child = spawn(this.launch.program, [...this.launch.args], { env: environment, detached: true });
    this.child = child;
    process.once('exit', this.killNow);
    child.stdin.on('error', () => undefined); // it is gone, which its exit tells
    child.stderr.on('data', (chunk: Buffer) => this.keep(chunk.toString()));
    createInterface({ input: child.stdout }).on('line', (line) => this.heard(line));
    child.on('error', (error) => this.ended(`it cannot be run: ${error.message}`));
    child.on('exit', this.killNow); // what it has left running would keep its output open
    // By then everything that it said has been read.
    child.on('close', (status, signal) => this.ended(`it ended with ${status ?? signal ?? 'no status'}`));
    try {
      this.options.onStep(`${this.info.name} is ready: ${await ready}`);
    } finally {
      clearTimeout(late);
    }
  }

  start(): void {
    this.lastBegun = this.clock.now();
    this.child?.stdin.write(`${this.options.key}\n${this.clock.now().toFixed(3)}\n`);
    this.timer = setInterval(() => this.look(), this.options.periodMs);
  }

  /** Lets requests on their way end, then ends the program and everything that it started. */
  async stop(): Promise<void> {
    this.stopping = true;
    const { child } = this;
    if (child !== null && this.gone === null) {
      const closed = new Promise((resolve) => child.once('close', resolve));
      child.stdin.end();
      const impatient = setTimeout(this.killNow, this.options.timeoutMs + SLACK_MS);
      await closed;
      clearTimeout(impatient);
    }
    process.off('exit', this.killNow);
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
    this.failOpen('the program had to be ended before an answer came');
    await this.removeFolder();
  }

  private async removeFolder(): Promise<void> {
    if (this.folder !== null) await rm(this.folder, { recursive: true, force: true });
  }

  /** Nothing of the drill's own: no proxy, no options for another runtime. */
  private async environment(): Promise<NodeJS.ProcessEnv> {
    const { options, launch } = this;
    const kept = ['PATH', 'HOME', 'LANG', 'TZ', 'TMPDIR'].flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value] as const];
    });
    const environment: NodeJS.ProcessEnv = {
      ...Object.fromEntries(kept),
      DRILL_URL: options.url,
      DRILL_BODY: JSON.stringify(options.body),
      DRILL_PERIOD_MS: String(options.periodMs),
      DRILL_TIMEOUT_MS: String(options.timeoutMs),
    };
    if (options.caCertificate === undefined) return environment;
    this.folder = await mkdtemp(path.join(os.tmpdir(), 'failover-drill-'));
    const file = path.join(this.folder, 'ca.pem');
    await writeFile(file, options.caCertificate);
    environment['DRILL_CA_FILE'] = file;
    if (launch.caVariable !== undefined) environment[launch.caVariable] = file;
    return environment;
  }

  private heard(line: string): void {
    const told = Line.safeParse(parseJson(line));
    if (!told.success) this.keep(`${line}\n`);
    else if ('ready' in told.data) this.whenReady(told.data.ready);
    else if ('end' in told.data) this.over(told.data);
    else this.begun(told.data);
  }

  private begun({ seq, start }: z.output<typeof Begun>): void {
    const own = { seq: this.seq++, start };
    this.lastBegun = start;
    this.open.set(seq, own);
    this.log.begin(this.info.name, own.seq, start);
  }

  private over({ seq, start, end, ...outcome }: z.output<typeof Over>): void {
    const own = this.open.get(seq);
    if (own === undefined) return; // given up on, and written down as failed
    this.open.delete(seq);
    this.log.add({
      client: this.info.name,
      seq: own.seq,
      start,
      end,
      epoch: null,
      ...outcome,
      address: outcome.address ?? null,
    });
  }

  /**
   * Once a period: a program that says nothing must not pass for one that is well. Requests without an outcome fail a
   * moment after their deadline, and beats that do not come are failures.
   */
  private look(): void {
    const now = this.clock.now();
    const { periodMs, timeoutMs } = this.options;
    for (const [seq, { start }] of this.open) {
      if (now - start > timeoutMs + SLACK_MS) this.fail(seq, 'the program told no outcome by the deadline');
    }
    const silentMs = now - this.lastBegun;
    if (this.gone !== null) this.missed(this.gone);
    else if (silentMs > Math.max(MISSING_BEATS * periodMs, LEAST_SILENCE_MS))
      this.missed(`the program has sent nothing for ${(silentMs / 1000).toFixed(0)} s`);
  }

  private ended(how: string): void {
    if (this.gone !== null) return;
    const last = this.said.trim().split('\n').slice(-3).join(' | ').slice(-600);
    this.gone = last === '' ? how : `${how}: ${last}`;
    this.whenGone(this.gone);
    if (this.stopping || this.timer === null) return;
    this.options.onStep(`${this.info.name} is gone: ${this.gone}`);
    this.failOpen(this.gone);
  }

  private failOpen(error: string): void {
    for (const seq of [...this.open.keys()]) this.fail(seq, error);
  }

  private fail(seq: number, error: string): void {
    const own = this.open.get(seq);
    if (own === undefined) return;
    this.open.delete(seq);
    this.add(own.seq, own.start, error);
  }

  private missed(error: string): void {
    this.add(this.seq++, this.clock.now(), error);
  }

  private add(seq: number, start: number, error: string): void {
    const client = this.info.name;
    const nothing = { ok: false, status: null, site: null, epoch: null, address: null };
    this.log.add({ client, seq, start, end: this.clock.now(), ...nothing, error });
  }

  private keep(text: string): void {
    this.said = (this.said + text).slice(-4_000);
  }

  private killGroup(): void {
    const pid = this.child?.pid;
    // It never ran, or its number may be another's by now.
    if (pid === undefined || this.gone !== null) return;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // nobody is left
    }
  }
}
