import { report, summary, type Preview } from './report';

const OUTPUT = `Previewing update (uk-primary):
 +  pulumi:pulumi:Stack failover-uk-primary create
Diagnostics:
  pulumi:pulumi:Stack (failover-uk-primary):
    RTO 210 s of 300 s (region lost 210 s, engine hung 190 s); RPO 1260 s of 3600 s; cost 1770.5 US dollars a month (a 900 + b 870.5), 1.97 x one region, at most 2 x
Resources:
    + 40 to create
    3 unchanged
`;
const PREVIEW: Preview = { stack: 'uk-primary', status: 0, output: OUTPUT, deployedMonthlyUsd: 1500 };

describe('the report of a preview', () => {
  it('tells changes, budgets and the difference in cost', () => {
    const text = report([PREVIEW]);
    expect(text).toContain('### uk-primary: + 40 to create, 3 unchanged\n');
    expect(text).toContain('\n\nRTO 210 s of 300 s (region lost');
    expect(text).toContain('cost: 1770.5 US dollars a month, deployed 1500, difference +270.5');
    expect(text).toContain('<summary>plan</summary>\n\n```\nPreviewing update');
  });

  it('says when a stack is refused, or not deployed yet', () => {
    const text = report([{ ...PREVIEW, status: 255, deployedMonthlyUsd: null }]);
    expect(text).toContain('### uk-primary: **refused**');
    expect(text).toContain('nothing is deployed to compare with');
  });

  it('fits into a comment, and out of its own fence', () => {
    const long = { ...PREVIEW, output: `${OUTPUT}\`\`\`\n${'x'.repeat(100_000)}` };
    const text = report([long, long, long]);
    expect(text.length).toBeLessThan(65_536);
    expect(text.match(/```/g)).toHaveLength(6);
    expect(text).toContain("the whole plan is in the job's log");
  });

  it('is summed up for the terminal without the plan', () => {
    expect(summary([PREVIEW, PREVIEW]).match(/^RTO 210 s/gm)).toHaveLength(2);
    expect(summary([PREVIEW])).not.toContain('Previewing');
  });

  it('says when nothing is touched', () => {
    expect(report([])).toBe('No stack is touched by this change.\n');
  });
});
