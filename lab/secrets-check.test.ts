import { judge } from './secrets-check';

const WANTED = new Map([['clientKey', 'hunter2']]);

describe('judge', () => {
  it('finds nothing where the control word is and no secret', () => {
    expect(judge('journal', 'failover-agent started', WANTED)).toEqual([]);
  });

  it('names the secret that it finds, and never shows it', () => {
    const findings = judge('journal', 'failover-agent got hunter2', WANTED);
    expect(findings).toEqual([{ place: 'journal', what: 'clientKey in the clear' }]);
    expect(JSON.stringify(findings)).not.toContain('hunter2');
  });

  it('trap 31: does not pass on an empty listing', () => {
    expect(judge('journal', '', WANTED)).toEqual([
      { place: 'journal', what: expect.stringContaining('not searched') as string },
    ]);
  });
});
