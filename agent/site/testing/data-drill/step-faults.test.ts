import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { scratchFolder } from '../scratch';
import { StepFaults } from './step-faults';

const folder = mkdtempSync(join(scratchFolder(), 'step-faults-'));
const hitFile = join(folder, 'hit');
const kill = jest.spyOn(process, 'kill');
let held: string[];
let faults: StepFaults;

beforeEach(() => {
  kill.mockReset().mockReturnValue(true);
  held = [];
  faults = new StepFaults(hitFile, (step) => held.push(step));
});

afterAll(() => {
  kill.mockRestore();
  rmSync(folder, { recursive: true });
});

describe('a fault at a step', () => {
  it('kills by SIGKILL at the n-th time, after it has told where, and never again', async () => {
    faults.arm({ step: 'apply/staged', nth: 2, action: 'kill' });
    await faults.reach('apply/started');
    await faults.reach('apply/staged');
    expect(kill).not.toHaveBeenCalled();
    await faults.reach('apply/staged');
    expect(kill.mock.calls).toEqual([[process.pid, 'SIGKILL']]);
    expect(readFileSync(hitFile, 'utf8')).toBe('apply/staged');
    await faults.reach('apply/staged');
    expect(kill).toHaveBeenCalledTimes(1);
  });

  it('counts only once the step that it comes after has been passed', async () => {
    faults.arm({ step: 'publish/started', after: 'event/final-sync', nth: 1, action: 'kill' });
    await faults.reach('publish/started');
    expect(kill).not.toHaveBeenCalled();
    faults.pass('event/final-sync');
    await faults.reach('publish/started');
    expect(kill).toHaveBeenCalledTimes(1);
  });

  it('holds at the step until it is released', async () => {
    faults.arm({ step: 'publish/marked', nth: 1, action: 'hold' });
    let passed = false;
    const reaching = faults.reach('publish/marked').then(() => (passed = true));
    await Promise.resolve();
    expect([held, passed]).toEqual([['publish/marked'], false]);
    faults.release();
    await reaching;
    expect(passed).toBe(true);
    expect(kill).not.toHaveBeenCalled();
  });

  it('lets a step pass that nobody armed', async () => {
    await faults.reach('publish/marked');
    faults.pass('event/claimed');
    expect(kill).not.toHaveBeenCalled();
  });
});
