import { FaultCommand, Repairs } from './fault';
import { refuseWithoutFaults } from './steady-state';
import { SCENARIOS, scenarioNamed } from './scenarios';
import { replicate, covers } from './replicate';

describe('repairs', () => {
  it('undo the last fault first, and each once', async () => {
    const ran: string[] = [];
    const repairs = new Repairs({ run: (words) => Promise.resolve(void ran.push(words.join(' '))) });
    await repairs.inject({ words: ['kill', 'uk'], repair: ['revive', 'uk'] });
    await repairs.inject({ words: ['isolate', 'eu'], repair: ['heal', 'eu'] });
    expect(await repairs.undo()).toEqual([]);
    expect(await repairs.undo()).toEqual([]);
    expect(ran).toEqual(['kill uk', 'isolate eu', 'heal eu', 'revive uk']);
  });
  it('undo a fault that failed half-way as well', async () => {
    const ran: string[] = [];
    const repairs = new Repairs({
      run: (words) => {
        ran.push(words.join(' '));
        return words[0] === 'kill' ? Promise.reject(new Error('half')) : Promise.resolve();
      },
    });
    await expect(repairs.inject({ words: ['kill', 'uk'], repair: ['revive', 'uk'] })).rejects.toThrow('half');
    await repairs.undo();
    expect(ran).toEqual(['kill uk', 'revive uk']);
  });
  it('go on after one that fails, and name it', async () => {
    const repairs = new Repairs({
      run: (words) => (words[0] === 'heal' ? Promise.reject(new Error('stuck')) : Promise.resolve()),
    });
    await repairs.inject({ words: ['kill', 'uk'], repair: ['revive', 'uk'] });
    await repairs.inject({ words: ['isolate', 'eu'], repair: ['heal', 'eu'] });
    expect(await repairs.undo()).toEqual(['heal eu: stuck']);
    expect(repairs.outstanding).toEqual([]);
  });
});

describe('a repair', () => {
  it('waits for the fault that is still under way, so that it is not overtaken', async () => {
    const ran: string[] = [];
    let release: () => void = () => undefined;
    const slow = new Promise<void>((resolve) => (release = resolve));
    const repairs = new Repairs({
      run: async (words) => {
        if (words[0] === 'kill') await slow;
        ran.push(words.join(' '));
      },
    });
    const fault = repairs.inject({ words: ['kill', 'uk'], repair: ['revive', 'uk'] });
    const undone = repairs.undo();
    release();
    await Promise.all([fault, undone]);
    expect(ran).toEqual(['kill uk', 'revive uk']);
  });
});

describe('the fault command', () => {
  it('gets the scenario words after its own, without a shell', async () => {
    const command = new FaultCommand(
      `node -e "process.exit(process.argv.slice(1).join('|')==='a|b c|$HOME'?0:9)" a`,
    );
    await expect(command.run(['b c', '$HOME'])).resolves.toBeUndefined();
  });
  it('reports a failing command with its output', async () => {
    await expect(
      new FaultCommand('node -e "console.error(42);process.exit(3)"').run([]),
    ).rejects.toMatchObject({
      code: 'COMMAND_FAILED',
      message: expect.stringMatching(/ended with 3: 42/),
    });
  });
  it('reports a command that does not exist', async () => {
    await expect(new FaultCommand('/nonexistent/fault').run(['kill'])).rejects.toThrow(/did not start/);
  });
  it('does not wait for what the command leaves running', async () => {
    const command = new FaultCommand(
      `node -e "require('child_process').spawn('sleep',['5'],{stdio:'inherit',detached:true}).unref()"`,
    );
    const started = Date.now();
    await command.run([]);
    expect(Date.now() - started).toBeLessThan(4_000);
  });
});

describe('scenarios', () => {
  const site = {
    site: 'uk-primary',
    host: 'uk.example.com',
    port: 443,
    addresses: ['10.0.0.1'],
    servers: ['uk-1', 'uk-2'],
  };
  const standby = { ...site, site: 'eu-standby', host: 'eu.example.com', servers: ['eu-1'] };
  const roles = { active: site, standby, leader: 'uk-1', detectionSeconds: 4 };
  it('name the site by its label and every server of it', () => {
    expect(scenarioNamed('region-loss').faults(roles)).toEqual([
      { words: ['kill', 'uk'], repair: ['revive', 'uk'] },
    ]);
    expect(
      scenarioNamed('hung-engine')
        .faults(roles)
        .map((fault) => fault.words[1]),
    ).toEqual(['uk-1', 'uk-2']);
    expect(scenarioNamed('planned-switch').faults(roles)).toEqual([]);
    expect(scenarioNamed('partition-sites').faults(roles)).toEqual([
      { words: ['partition', 'uk', 'eu'], repair: ['heal'] },
    ]);
  });
  it('refuses an unknown one, naming those there are', () => {
    expect(() => scenarioNamed('flood')).toThrow(/region-loss, planned-switch, hung-engine/);
  });
  it('allows only the planned switch where no fault command is given', () => {
    const allowed = SCENARIOS.filter((scenario) => {
      try {
        refuseWithoutFaults(scenario, null);
        return true;
      } catch {
        return false;
      }
    });
    expect(allowed.map((scenario) => scenario.name)).toEqual(['planned-switch']);
  });
});

describe('bringing the seeds over', () => {
  it('accepts exactly that publish or a later one, of this epoch or the next', () => {
    expect(covers('0000000002-20260301T030000Z-aaaa', '0000000002-20260301T030000Z-aaaa')).toBe(true);
    expect(covers('0000000002-20260301T030010Z-0001', '0000000002-20260301T030000Z-aaaa')).toBe(true);
    expect(covers('0000000001-20260301T040000Z-ffff', '0000000002-20260301T030000Z-aaaa')).toBe(false);
    expect(covers(undefined, '0000000002-20260301T030000Z-aaaa')).toBe(false);
  });
  it('gives up after its limit and says what it was waiting for', async () => {
    let now = 0;
    const port = (name: string): never =>
      ({
        site: { site: name },
        publish: () => Promise.resolve({ skipped: { code: 'BUSY', message: 'an apply is under way' } }),
      }) as never;
    const clock = { now: () => now, delay: (ms: number) => Promise.resolve(void (now += ms)) };
    await expect(
      replicate([port('uk'), port('eu')], 'uk', 'eu', 10, clock, new AbortController().signal),
    ).rejects.toThrow(/within 10 s: uk skipped the publish: an apply is under way/);
  });
});
