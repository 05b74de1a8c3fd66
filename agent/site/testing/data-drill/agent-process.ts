/** A site agent as the drill handles it: started again after each death, as its unit would be; killed, frozen, armed. */
import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isNoSuchFile } from '../../errors';
import { killGroup, signalGroup } from '../process-group';
import type { FromSite, SiteProcessConfig, ToSite } from './site-process';
import type { StepFault } from './step-faults';

/** Between a death and the next start, as `RestartSec` is; nothing depends on its length. */
const RESTART_MS = 100;
const START_SECONDS = 60;

export interface Death {
  /** What it was at, by its own last word; null when it died elsewhere. */
  readonly step: string | null;
  readonly signal: NodeJS.Signals | null;
}

export class AgentProcess {
  private child: ChildProcess | null = null;
  private wanted = false;
  private starting: Promise<void> = Promise.resolve();
  private deaths: Death[] = [];
  private heldAt: string | null = null;
  private readonly configFile: string;

  constructor(
    private readonly bundle: string,
    folder: string,
    private config: SiteProcessConfig,
  ) {
    this.configFile = join(folder, 'process.json');
  }

  /** Resolves when it serves its API. */
  up(change: (config: SiteProcessConfig) => SiteProcessConfig = (config) => config): Promise<void> {
    this.config = change(this.config);
    writeFileSync(this.configFile, JSON.stringify(this.config));
    this.wanted = true;
    this.starting = this.launch();
    return this.starting;
  }

  /** SIGKILL, and it stays down. */
  async down(): Promise<void> {
    this.wanted = false;
    const { child } = this;
    if (child?.pid !== undefined) {
      signalGroup(child.pid, 'SIGCONT');
      await killGroup(child.pid);
    }
    await this.starting.catch(() => undefined);
  }

  /** SIGSTOP to all that belongs to it. */
  freeze(): void {
    if (this.child?.pid !== undefined) signalGroup(this.child.pid, 'SIGSTOP');
  }

  thaw(): void {
    if (this.child?.pid !== undefined) signalGroup(this.child.pid, 'SIGCONT');
  }

  /** Resolves when the next time at the step will strike. */
  async arm(fault: StepFault): Promise<void> {
    this.deaths = [];
    this.heldAt = null;
    rmSync(this.config.hitFile, { force: true });
    await this.tell({ type: 'arm', fault });
  }

  /** Goes on from where it is held; whatever is still armed strikes no more. */
  release(): Promise<void> {
    this.heldAt = null;
    return this.tell({ type: 'release' });
  }

  shiftWallClock(offsetMs: number): Promise<void> {
    return this.tell({ type: 'wall-clock', offsetMs });
  }

  /** Resolves when it has died by SIGKILL at the step that was armed and serves again; refuses any other end. */
  async killedAt(step: string, seconds: number): Promise<void> {
    const death = await this.until(`it is killed at ${step}`, seconds, () => this.deaths[0]);
    if (death.step !== step || death.signal !== 'SIGKILL') {
      throw new Error(`died at ${death.step ?? 'no step'} of ${death.signal ?? 'an exit'}, not at ${step}`);
    }
    await this.starting;
  }

  /** Resolves when it stands still at the step that was armed. */
  async holdsAt(step: string, seconds: number): Promise<void> {
    await this.until(`it is held at ${step}`, seconds, () => (this.heldAt === step ? true : undefined));
  }

  get hasDied(): boolean {
    return this.deaths.length > 0;
  }

  private async until<T>(what: string, seconds: number, look: () => T | undefined): Promise<T> {
    const endsAt = Date.now() + seconds * 1000;
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      if (Date.now() > endsAt) throw new Error(`step not hit: not within ${seconds} s ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  private async launch(): Promise<void> {
    const child = spawn(process.execPath, [this.bundle, this.configFile], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      detached: true, // a group of its own: what it started dies with it
    });
    this.child = child;
    let said = '';
    child.stderr?.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-2000)));
    child.on('message', (message: FromSite) => {
      if (message.type === 'held') this.heldAt = message.step;
    });
    const gone = new Promise<void>((resolve) => {
      child.once('exit', (_code, signal) => {
        this.deaths.push({ step: this.readHit(), signal });
        void this.clearUp(child).then(resolve);
      });
    });
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(
        () => reject(new Error(`the agent does not start: ${said}`)),
        START_SECONDS * 1000,
      );
      child.on('message', (message: FromSite) => {
        if (message.type !== 'ready') return;
        clearTimeout(late);
        resolve();
      });
      void gone.then(() => {
        clearTimeout(late);
        reject(new Error(`the agent ended while it was starting: ${said}`));
      });
    });
  }

  private async clearUp(child: ChildProcess): Promise<void> {
    if (child.pid !== undefined) await killGroup(child.pid);
    if (!this.wanted || this.child !== child) return;
    await new Promise((resolve) => setTimeout(resolve, RESTART_MS));
    if (!this.wanted) return;
    this.starting = this.launch();
    this.starting.catch(() => undefined); // whoever waits for it is told
  }

  private readHit(): string | null {
    try {
      return readFileSync(this.config.hitFile, 'utf8');
    } catch (error) {
      if (isNoSuchFile(error)) return null;
      throw error;
    }
  }

  private async tell(message: ToSite): Promise<void> {
    await this.starting;
    const { child } = this;
    if (child === null) throw new Error('the agent is not running');
    await new Promise<void>((resolve, reject) => {
      const settle = (end: () => void): void => {
        child.off('message', answered).off('exit', ended);
        end();
      };
      const ended = (): void => settle(() => reject(new Error('the agent ended instead of answering')));
      const answered = (answer: FromSite): void => {
        if (answer.type === 'done') settle(resolve);
      };
      child.on('message', answered).on('exit', ended);
      child.send(message, (error) => (error === null ? undefined : settle(() => reject(error))));
    });
  }
}
