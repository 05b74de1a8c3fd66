import { FakeWorld } from '../testing/fake-world';
import { failback, nextFailbackStep } from './failback';
import { observe, type SiteView } from './overview';
import { SiteClient } from './site-client';
import { renderOverview } from './status-text';
import { nextStepsFor } from './next-steps';

let world: FakeWorld;
beforeEach(async () => {
  world = new FakeWorld();
  await world.start();
});
afterEach(async () => world.stop());

function clients(
  change: (context: ReturnType<FakeWorld['context']>) => void = () => undefined,
): SiteClient[] {
  const context = world.context();
  change(context);
  return context.sites.map((site) => new SiteClient(context, site));
}

describe('talking to a site', () => {
  it("connects to the saved address under the site's own name, without DNS", async () => {
    world.dns.silent = true;
    const [uk] = clients();
    expect((await uk!.status()).status.site).toBe('uk-primary');
  });
  it('refuses a certificate of another name', async () => {
    const [uk] = clients((context) => (context.sites[0]!.host = 'other.failover.test'));
    await expect(uk!.status()).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: expect.stringMatching(/altnames/i),
    });
  });
  it('refuses a certificate of another authority', async () => {
    const [uk] = clients((context) => delete context.caCertificate);
    await expect(uk!.status()).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: expect.stringMatching(/self.signed/i),
    });
  });
  it('tries the next address when one refuses the connection', async () => {
    const [uk] = clients((context) => context.sites[0]!.addresses.unshift('127.0.0.9'));
    expect((await uk!.status()).status.site).toBe('uk-primary');
  });
  it('says when a site gives no answer, with exit code 4', async () => {
    await world.uk.stop();
    const [uk] = clients();
    await expect(uk!.status()).rejects.toMatchObject({ code: 'UNREACHABLE', exitCode: 4 });
  });
  it("passes an agent's refusal on with its reason and what to do next", async () => {
    const [, eu] = clients();
    await expect(eu!.switch({ by: 'me', reason: 'test' })).rejects.toMatchObject({
      code: 'REFUSED',
      exitCode: 3,
      reasons: [{ code: 'not-holder', message: 'uk-primary holds the lease' }],
      next: [expect.stringContaining('ask the site that holds the lease')],
    });
  });
  it('shows no key when the site does not accept it', async () => {
    const [uk] = clients((context) => (context.operatorKey = 'secret-operator'));
    const failure = (await uk!.status().catch((error: unknown) => error)) as {
      message: string;
      next: string[];
    };
    expect(failure).toMatchObject({ code: 'REFUSED' });
    expect(JSON.stringify(failure)).not.toContain('secret-operator');
    expect(failure.message).not.toContain('secret-operator');
    expect(failure.next.join()).toContain('failover context save');
  });
  it('calls a skipped publish skipped', async () => {
    const [, eu] = clients();
    expect(await eu!.publish()).toEqual({ skipped: { code: 'not-holder', message: 'not the holder' } });
  });
});

describe('the overview', () => {
  const look = (): ReturnType<typeof observe> => observe(world.context(), clients(), world.leases, 1_000);

  it('finds nothing wrong in the steady state, and says what a promotion would lose', async () => {
    const overview = await look();
    expect(overview.findings).toEqual([]);
    expect(overview.active).toBe('uk-primary');
    const text = renderOverview(overview);
    expect(text).toContain('promoting eu-standby now: the writes of the last 1.0 s would be missing');
    expect(text).toContain('epoch 1, held by uk-primary (says witness)');
    expect(text).toContain('Steady');
    expect(text).not.toContain('operator-key');
  });
  it('tells of a record that an agent could not move, and of alerts that nobody got', async () => {
    const overview = await look();
    const [uk] = overview.sites;
    const record = { name: 'api.failover.test', failures: 3, moves: 0, checkedAgeSeconds: 1 };
    const target = { kind: 'slack', waiting: 2, delivered: 0, refused: 0, trouble: 'HTTP 500' };
    const status = {
      ...uk!.status!,
      dnsRecord: { ...record, state: 'failing' as const, detail: 'HTTP 403' },
      alerts: { open: [], targets: [target] },
    };
    const text = renderOverview({ ...overview, sites: [{ ...uk!, status }] });
    expect(text).toContain('record   uk-primary: api.failover.test is failing, HTTP 403');
    expect(text).toContain('alerts   uk-primary: 2 wait for slack, HTTP 500');
  });
  it('trap 29: shows a site that is gone, and who is unprotected', async () => {
    await world.eu.stop();
    world.uk.state = 'unprotected';
    const overview = await look();
    expect(overview.active).toBe('uk-primary');
    expect(overview.findings.map((finding) => finding.code)).toEqual(['site-silent']);
    expect(renderOverview(overview)).toMatch(/state +unprotected +no answer/);
  });
  it('trap 25: tells both sites silent from no site active, and still has the lease and DNS', async () => {
    await Promise.all([world.uk.stop(), world.eu.stop()]);
    const overview = await look();
    expect(overview.findings.map((finding) => finding.code)).toEqual([
      'no-active-site',
      'site-silent',
      'site-silent',
    ]);
    expect(overview.lease).toMatchObject({ epoch: 1, holder: 'uk-primary', source: 'witness' });
  });
  it('trap 28: counts data older than the RPO against the steady state', async () => {
    const context = world.context();
    context.budget.rpo.objectiveSeconds = 0.5;
    const overview = await observe(context, clients(), world.leases, 1_000);
    expect(overview.findings.map((finding) => finding.code)).toEqual(['data-too-old']);
  });
  it('takes the lease from the sites when the witness cannot be read, and says so', async () => {
    const broken = {
      lease: () => Promise.reject(new Error('connection refused')),
      history: () => Promise.resolve([]),
    };
    const overview = await observe(world.context(), clients(), broken, 1_000);
    expect(overview.lease).toMatchObject({ source: 'uk-primary' });
    expect(overview.findings.map((finding) => finding.code)).toEqual(['witness-unreadable']);
  });
});

describe('failback', () => {
  const run = (steps: string[] = [], waitSeconds = 5): ReturnType<typeof failback> =>
    failback('uk-primary', clients(), {
      by: 'me',
      reason: 'test',
      waitSeconds,
      pollSeconds: 0.05,
      onStep: (step) => steps.push(step),
    });
  async function ukWasLost(): Promise<void> {
    world.handOver(world.uk, world.eu, 'expired');
    world.uk.state = 'fenced';
    await world.followed(world.eu);
  }

  it('re-protects again when an earlier re-protection was interrupted', async () => {
    await ukWasLost();
    world.uk.state = 're-protecting'; // and nothing is under way: Qdrant was not up yet when it was asked
    expect(await run()).toEqual({ switched: true, epoch: 3, holder: 'uk-primary' });
  });
  it('trap 22: re-protects the fenced site, waits for it, and only then switches', async () => {
    await ukWasLost();
    const steps: string[] = [];
    expect(await run(steps)).toEqual({ switched: true, epoch: 3, holder: 'uk-primary' });
    expect(steps.join()).toContain('re-protecting uk-primary');
    expect(steps.at(-1)).toContain('handing the lease from eu-standby to uk-primary');
    expect(world.uk.applied).not.toBeNull();
  });
  it('goes on where an interrupted one left off', async () => {
    await ukWasLost();
    world.uk.state = 'standby';
    const steps: string[] = [];
    await run(steps);
    expect(steps.join()).not.toContain('re-protecting');
    expect(world.lease.holder).toBe('uk-primary');
  });
  it('does nothing when the target holds the lease already', async () => {
    expect(await run()).toEqual({ switched: false, epoch: 1, holder: 'uk-primary' });
    expect(world.entries).toHaveLength(1);
  });
  it('waits for a target that is not back yet, and gives up with its reason when time is up', async () => {
    await ukWasLost();
    await world.uk.stop();
    await expect(run([], 0.3)).rejects.toMatchObject({
      code: 'TIMED_OUT',
      message: expect.stringContaining('uk-primary gives no answer'),
    });
  });
  it('waits while the target could not take over, naming why', async () => {
    await ukWasLost();
    world.uk.state = 'standby';
    world.uk.promotableReasons = [{ code: 'INFERENCE_FAILING', message: 'vLLM is still loading' }];
    const steps: string[] = [];
    await expect(run(steps, 0.3)).rejects.toThrow(/vLLM is still loading/);
    expect(world.lease.holder).toBe('eu-standby');
  });

  it('trap 30: never re-protects a site that holds the lease, whatever else is true', () => {
    const view = (site: FakeWorld['uk']): SiteView => ({
      site: site.name,
      addresses: [],
      status: site.status(),
      silence: null,
      clockAheadSeconds: null,
    });
    expect(nextFailbackStep('uk-primary', [view(world.uk), view(world.eu)])).toEqual({ do: 'nothing' });
    world.eu.state = 'active';
    expect(nextFailbackStep('uk-primary', [view(world.uk), view(world.eu)])).toMatchObject({ do: 'wait' });
  });
});

describe('what to do next', () => {
  it.each([
    ['DATA_TOO_OLD', /--accept-data-loss/],
    ['CONFIG_MISMATCH', /pulumi up/],
    ['COOLDOWN', /wait/],
    ['INFERENCE_FAILING', /failover-vllm/],
    ['NO_VERIFIED_RESTORE', /next apply/],
    ['STORE_UNREACHABLE', /witness is lost/],
    ['PEER_NOT_PROMOTABLE', /promotable/],
    ['SOMETHING_NEW', /runbook/],
  ])('is said for %s', (code, step) => {
    expect(nextStepsFor([{ code, message: '' }]).join()).toMatch(step);
  });
});
