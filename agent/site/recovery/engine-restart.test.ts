import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Health } from '../../../infra/contract/agent-api';
import { judge, NO_VERDICT, type ProbeResult, type Verdict } from '../canary/verdict';
import type { SiteClock } from '../ports';
import { scratchFolder } from '../testing/scratch';
import { EngineRestart } from './engine-restart';
import { RestartLog } from './restart-log';
import { RestartRequest } from './restart-request';

const RULES = { failureThreshold: 3, recoveryThreshold: 4, windowProbes: 10, windowFailureRatio: 0.5 };
const HOUR = 3_600;
const STUCK: ProbeResult = { outcome: 'failed', detail: 'no token, counters stand still' };
const SATURATED: ProbeResult = { outcome: 'saturated', detail: 'no token, but its counters move' };
const WELL: ProbeResult = { outcome: 'ok', detail: 'one token' };
const GONE: ProbeResult = { outcome: 'failed', detail: 'ECONNREFUSED', absent: true };

/** A site's half that matters here: the real verdict, log and request, and root's unit when a test plays it. */
class Engine {
  readonly folder = mkdtempSync(join(scratchFolder(), 'restart-'));
  readonly log = join(this.folder, 'state', 'engine-restarts.json');
  readonly request = join(this.folder, 'run', 'restart-engine');
  readonly told: string[] = [];
  seconds = 100_000;
  bootId = 'boot-1';
  /** False: nobody takes requests. */
  rootWatches = true;
  restarts = 0;
  restart!: EngineRestart;
  private verdict: Verdict = NO_VERDICT;

  constructor(private readonly switching: { grace?: number; perHour?: number } = {}) {}

  async startAgent(): Promise<this> {
    const clock: SiteClock = {
      bootId: this.bootId,
      monotonicMs: () => this.seconds * 1000,
      wallIso: () => '',
    };
    this.verdict = NO_VERDICT;
    this.restart = new EngineRestart({
      switching: {
        engineRestartGraceSeconds: this.switching.grace ?? 20,
        engineRestartsPerHour: this.switching.perHour ?? 2,
      },
      startTimeoutSeconds: 600,
      failureThreshold: RULES.failureThreshold,
      log: await RestartLog.open(this.log, clock),
      clock,
      request: new RestartRequest(this.request),
      record: (kind, detail) => void this.told.push(`${kind}: ${detail}`),
    });
    this.restart.start();
    return this;
  }

  /** Probes, a second apart. */
  async see(result: ProbeResult, times = 1): Promise<void> {
    for (let probe = 0; probe < times; probe += 1) {
      this.seconds += 1;
      const before: Health = this.verdict.health;
      this.verdict = judge(this.verdict, result.outcome, RULES);
      this.restart.onProbe(result, this.verdict.health, before);
      await this.restart.settled();
      if (this.rootWatches && existsSync(this.request)) {
        rmSync(this.request);
        this.restarts += 1;
      }
    }
  }

  get health(): Health {
    return this.verdict.health;
  }
}

let engine: Engine;
const begin = async (switching?: { grace?: number; perHour?: number }): Promise<Engine> => {
  engine = new Engine(switching);
  return engine.startAgent();
};
afterEach(() => rmSync(engine.folder, { recursive: true, force: true }));

describe('trap 2: a saturated engine misses deadlines as well', () => {
  it('is not restarted, however long it lasts', async () => {
    await begin();
    await engine.see(WELL);
    await engine.see(SATURATED, 500);
    expect([engine.health, engine.restarts, engine.told]).toEqual(['healthy', 0, []]);
  });

  it('is not restarted when it was failing before and is merely busy since', async () => {
    await begin({ grace: 5 });
    await engine.see(STUCK, 3);
    await engine.see(SATURATED, 500);
    expect([engine.health, engine.restarts]).toEqual(['failing', 1]);
  });
});

describe('a stuck engine', () => {
  it('is restarted at the very probe that makes the canary failing, with the reason in the event', async () => {
    await begin();
    await engine.see(WELL);
    await engine.see(STUCK, 2);
    expect(engine.restarts).toBe(0);
    await engine.see(STUCK);
    expect(engine.restarts).toBe(1);
    expect(engine.told).toEqual(['engine-restart: 1 of 2 in an hour: no token, counters stand still']);
  });

  it('has its grace from the moment at which the lease could see it failing, not from when the disk is done', async () => {
    await begin();
    await engine.see(STUCK, 2);
    engine.restart.onProbe(STUCK, 'failing', 'unknown');
    expect(engine.restart.recovering()).toBe(true);
    await engine.restart.settled();
  });

  it('is waited for until the grace is over', async () => {
    await begin();
    await engine.see(STUCK, 3);
    engine.seconds += 19;
    expect(engine.restart.recovering()).toBe(true);
    engine.seconds += 1;
    expect(engine.restart.recovering()).toBe(false);
  });

  it('is waited for no longer when it has proved itself', async () => {
    await begin();
    await engine.see(STUCK, 3);
    await engine.see(GONE, 2);
    await engine.see(WELL, 4);
    expect([engine.health, engine.restart.recovering()]).toEqual(['healthy', false]);
  });

  it('is restarted without being waited for when the grace is 0', async () => {
    await begin({ grace: 0 });
    await engine.see(STUCK, 3);
    expect([engine.restarts, engine.restart.recovering()]).toEqual([1, false]);
  });

  it('is never restarted with 0 restarts an hour', async () => {
    await begin({ perHour: 0 });
    await engine.see(STUCK, 100);
    expect([engine.restarts, engine.restart.recovering(), engine.told]).toEqual([0, false, []]);
  });

  it('is restarted again when the first restart did not help, but waited for only once', async () => {
    await begin({ grace: 5 });
    await engine.see(STUCK, 7);
    expect([engine.restarts, engine.restart.recovering()]).toEqual([1, true]);
    await engine.see(STUCK);
    expect([engine.restarts, engine.restart.recovering()]).toEqual([2, false]);
  });

  it('is restarted and waited for anew when it was well in between', async () => {
    await begin({ grace: 5 });
    await engine.see(STUCK, 3);
    await engine.see(WELL, 4);
    await engine.see(STUCK, 3);
    expect([engine.restarts, engine.restart.recovering()]).toEqual([2, true]);
  });
});

describe('an engine on whose port nobody listens', () => {
  it('is left to the service manager: one that loads its model must not begin again', async () => {
    await begin();
    await engine.see(GONE, 599);
    expect([engine.health, engine.restarts, engine.restart.recovering()]).toEqual(['failing', 0, false]);
  });

  it('is restarted when that lasts for longer than a start may take', async () => {
    await begin();
    await engine.see(GONE, 602);
    expect(engine.restarts).toBe(1);
  });
});

describe('the bound on restarts', () => {
  it('holds for an hour, is told of once, and leaves nothing to wait for', async () => {
    await begin({ grace: 1 });
    await engine.see(STUCK, 100);
    expect(engine.restarts).toBe(2);
    expect(engine.restart.view()).toEqual({ inLastHour: 2, perHour: 2 });
    expect(engine.restart.recovering()).toBe(false);
    expect(engine.told.filter((line) => line.startsWith('alert'))).toEqual([
      'alert: ENGINE_RESTARTS_USED_UP: 2 in an hour is the bound; no token, counters stand still',
    ]);
    engine.seconds += HOUR;
    await engine.see(STUCK, 3);
    expect(engine.restarts).toBe(3);
  });

  it('survives restarts of the agent: one that crashes over and over restarts the engine no more often', async () => {
    await begin({ grace: 1 });
    for (let crash = 0; crash < 50; crash += 1) {
      await engine.see(STUCK, 3);
      await engine.startAgent();
    }
    expect(engine.restarts).toBe(2);
  });

  it('counts a restart that was noted and never asked for', async () => {
    await begin({ perHour: 1 });
    await engine.see(STUCK, 2);
    engine.rootWatches = false;
    writeFileSync(join(engine.folder, 'run'), 'in the way');
    await engine.see(STUCK);
    expect(JSON.parse(readFileSync(engine.log, 'utf8'))).toMatchObject({ restarts: [{ bootId: 'boot-1' }] });
    rmSync(join(engine.folder, 'run'));
    engine.rootWatches = true;
    await engine.startAgent();
    await engine.see(STUCK, 10);
    expect(engine.restarts).toBe(0);
  });

  it('survives a reboot, after which monotonic time has begun again', async () => {
    await begin({ grace: 1 });
    await engine.see(STUCK, 50);
    engine.bootId = 'boot-2';
    engine.seconds = 10;
    await engine.startAgent();
    expect(engine.restart.recovering()).toBe(false);
    await engine.see(STUCK, 50);
    expect(engine.restarts).toBe(2);
    engine.seconds = HOUR;
    await engine.see(STUCK, 3);
    expect(engine.restarts).toBe(3);
  });

  it('goes on waiting where the process before it stopped, and no longer', async () => {
    await begin();
    await engine.see(STUCK, 3);
    engine.seconds += 10;
    await engine.startAgent();
    expect(engine.restart.recovering()).toBe(true);
    engine.seconds += 10;
    expect(engine.restart.recovering()).toBe(false);
  });

  it('takes a spoilt file for a full one, and says so', async () => {
    await begin();
    await engine.see(STUCK, 3);
    writeFileSync(engine.log, '{');
    await engine.startAgent();
    await engine.see(STUCK, 100);
    expect([engine.restarts, engine.restart.recovering()]).toEqual([1, false]);
    expect(engine.told.join('\n')).toContain('alert: ENGINE_RESTARTS_UNKNOWN');
    engine.seconds += HOUR;
    await engine.see(STUCK, 3);
    expect(engine.restarts).toBe(2);
  });
});

describe('a request that nobody takes', () => {
  it('is told of at the next one, for which nobody waits', async () => {
    await begin({ grace: 5 });
    engine.rootWatches = false;
    await engine.see(STUCK, 3);
    expect(engine.restart.recovering()).toBe(true);
    await engine.see(STUCK, 10);
    expect(engine.restart.recovering()).toBe(false);
    expect(engine.told.join('\n')).toMatch(/ENGINE_NOT_RESTARTED: .*failover-engine-restart\.path/);
  });

  it('is withdrawn when the engine is well again, which must not be restarted later', async () => {
    await begin();
    engine.rootWatches = false;
    await engine.see(STUCK, 3);
    expect(existsSync(engine.request)).toBe(true);
    await engine.see(WELL, 4);
    expect(existsSync(engine.request)).toBe(false);
  });
});
