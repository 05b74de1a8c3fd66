import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { sampleSite, sampleWitness } from '../testing/sample-outputs';
import { sampleRecord } from '../testing/sample-record';
import { FakeWorld } from '../testing/fake-world';

jest.setTimeout(60_000);
const FAILOVER = path.resolve(__dirname, '../failover');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'failover-cli-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function failover(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const env = { ...process.env, FAILOVER_CONTEXT: path.join(folder, 'context.json') };
    execFile(FAILOVER, args, { env }, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}
function write(name: string, value: unknown): string {
  const file = path.join(folder, name);
  writeFileSync(file, JSON.stringify(value));
  return file;
}

describe('the failover command', () => {
  it('saves a context from files and shows it without keys', async () => {
    const saved = await failover(
      ...['context', 'save', '--witness-outputs', write('w.json', sampleWitness())],
      ...[
        '--site-outputs',
        write('uk.json', sampleSite('uk-primary')),
        write('eu.json', sampleSite('eu-standby')),
      ],
    );
    expect(saved).toMatchObject({ status: 0, stderr: '' });
    const shown = await failover('context', 'show');
    expect(shown.status).toBe(0);
    expect(shown.stdout).toContain('https://api.example.com:443');
    expect(saved.stdout + shown.stdout).not.toContain('secret-');
  });
  it.each([
    [['--source', 'example/tiny'], /--source and --revision go together/, 2],
    [
      ['--source', 'x', '--revision', '1', '--bucket', 'b'],
      /--endpoint, --region and --bucket go together/,
      2,
    ],
    [[], /where its files are from is not said[^]*next: add --source NAME --revision REVISION/, 2],
  ])('publishes no weights with %j, and says why', async (options, message, status) => {
    write('config.json', {});
    const said = await failover('model', 'publish', folder, ...options);
    expect(said).toMatchObject({ status, stdout: '' });
    expect(said.stderr).toMatch(message);
  });

  it('reads the outputs through the command that it is given, one stack after another', async () => {
    const script = path.join(folder, 'pulumi.js');
    const outputs = {
      witness: sampleWitness(),
      'uk-primary': sampleSite('uk-primary'),
      'eu-standby': sampleSite('eu-standby'),
    };
    writeFileSync(
      script,
      `const a=process.argv;if(a.slice(2,-1).join(' ')!=='stack output --json --show-secrets --stack')process.exit(9);
       console.log(JSON.stringify(${JSON.stringify(outputs)}[a.at(-1)]))`,
    );
    expect(await failover('context', 'save', '--pulumi', `node ${script}`)).toMatchObject({ status: 0 });
  });
  it('ends with 2 without a context, and says how to get one', async () => {
    const { status, stderr } = await failover('status');
    expect(status).toBe(2);
    expect(stderr).toContain('next: save one while the stacks can be read: failover context save');
  });
  it('ends with 2 when a promotion names nobody', async () => {
    const { status, stderr } = await failover('promote', '--site', 'eu-standby');
    expect(status).toBe(2);
    expect(stderr).toContain('--by');
  });
  it('renders a drill again from its file', async () => {
    const file = write('d.json', { record: sampleRecord() });
    const { status, stdout } = await failover('report', file);
    expect(status).toBe(0);
    expect(stdout).toContain('PASSED');
  });
});

describe('the failover command against two sites', () => {
  let world: FakeWorld;
  beforeEach(async () => {
    world = new FakeWorld();
    await world.start();
    write('context.json', world.context());
  });
  afterEach(async () => world.stop());

  it('switches and fails back, and refuses with 3 and the reasons', async () => {
    expect(await failover('switch', '--by', 'me', '--reason', 'test')).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('eu-standby holds the lease, epoch 2'),
    });
    expect(await failover('failback', '--by', 'me', '--reason', 'test')).toMatchObject({ status: 0 });
    expect(world.lease).toEqual({ epoch: 3, holder: 'uk-primary' });
    world.eu.state = 'fenced';
    const refused = await failover('switch', '--by', 'me', '--reason', 'test');
    expect(refused.status).toBe(3);
    expect(refused.stderr).toContain('eu-standby is fenced (peer-not-promotable)');
    expect(refused.stderr).toContain('next: ');
    expect(refused.stdout + refused.stderr).not.toMatch(/operator-key|client-key/);
  });
  it('vetoes at both sites by name, tells which of them heard, and refuses a time that is none', async () => {
    const words = ['veto', '--by', 'ada', '--reason', 'router'];
    const both = await failover(...words, '--for', '90s');
    expect(both).toMatchObject({ status: 0 });
    expect(both.stdout).toContain('uk-primary and eu-standby: no switch but a person');
    const request = { by: 'ada', reason: 'router', forSeconds: 90 };
    expect([world.uk.vetoes, world.eu.vetoes]).toEqual([[request], [request]]);
    await world.uk.stop();
    const one = await failover(...words, '--lift');
    expect(one.status).toBe(0);
    expect(one.stdout).toContain('eu-standby: the veto is lifted');
    expect(one.stderr).toContain('not told: uk-primary');
    await world.eu.stop();
    expect((await failover(...words)).status).toBe(4);
    const wrong = await failover(...words, '--for', '3 days');
    expect(wrong).toMatchObject({ status: 2 });
    expect(wrong.stderr).toContain('such as 90s, 30m or 2h');
  });
  it('waits for the steady state as long as it is told, says for what, and ends with 3', async () => {
    world.eu.state = 'fenced';
    const waited = await failover('status', '--wait', '2');
    expect(waited.status).toBe(3);
    expect(waited.stderr).toContain('waiting for the steady state: ');
    expect(waited.stderr).toContain('eu-standby');
    expect((await failover('status', '--wait', 'soon')).stderr).toContain('--wait wants a number above 0');
  });
  it('lists, exports and merges what only the lost holder had, by name, and once', async () => {
    expect(await failover('merge')).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('No site has data'),
    });
    world.uk.data.set('docs', {
      points: new Map([
        [1, [1]],
        [2, [2]],
        [3, [3]],
      ]),
      indexes: [],
      aliases: [],
    });
    world.eu.data.set('docs', {
      points: new Map([
        [1, [1]],
        [3, [33]],
      ]),
      indexes: [],
      aliases: [],
    });
    world.handOver(world.uk, world.eu, 'expired');
    world.uk.state = 'fenced';
    await world.followed(world.eu);
    const by = ['--by', 'ada', '--reason', 'uk is back'];
    expect(await failover('reprotect', '--site', 'uk-primary', ...by)).toMatchObject({ status: 0 });

    const listed = await failover('merge', '--list');
    expect(listed).toMatchObject({ status: 0, stderr: '' });
    expect(listed.stdout).toMatch(/uk-primary +2 .* no\n/);
    expect(listed.stdout).toContain(
      'would be merged into eu-standby: 1 to apply, 0 there already, 1 conflicts',
    );
    expect(listed.stdout).toContain('conflict  docs 3: changed there, changed at the holder');
    expect(world.eu.data.get('docs')?.points.has(2)).toBe(false);

    const file = path.join(folder, 'lost.jsonl');
    expect(await failover('merge', '--export', file)).toMatchObject({ status: 0 });
    const exported = readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(exported.map(({ id }) => id)).toEqual([2, 3]);
    expect(statSync(file).mode & 0o777).toBe(0o600);

    expect(await failover('merge', '--policy', 'keep-holder')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('--by'),
    });
    expect(await failover('merge', '--policy', 'mine', ...by)).toMatchObject({ status: 2 });
    const merged = await failover('merge', '--policy', 'keep-holder', ...by);
    expect(merged).toMatchObject({
      status: 0,
      stdout: expect.stringContaining("1 applied, 0 there already, 1 conflicts (the holder's kept)"),
    });
    expect(world.eu.data.get('docs')?.points).toEqual(
      new Map([
        [1, [1]],
        [3, [33]],
        [2, [2]],
      ]),
    );
    expect((await failover('merge', '--policy', 'keep-holder', ...by)).stdout).toContain(
      'Nothing waits to be merged',
    );
    expect((await failover('merge')).stdout).toContain('by ada, keep-holder, 1 conflicts');
    const again = await failover('merge', '--epoch', '2', '--policy', 'keep-diverged', ...by);
    expect(again.stdout).toContain('0 applied, 1 there already, 1 conflicts (overwritten)');
    expect(world.eu.data.get('docs')?.points.get(3)).toEqual([3]);
  });
  it('ends with 4 when the site to promote gives no answer', async () => {
    await world.eu.stop();
    const { status, stderr } = await failover(
      'promote',
      '--site',
      'eu-standby',
      '--by',
      'me',
      '--reason',
      'test',
    );
    expect(status).toBe(4);
    expect(stderr).toContain('eu-standby (eu.failover.test');
  });
  it('refuses a drill outside the steady state with 3, having broken nothing', async () => {
    const broke = path.join(folder, 'broke');
    const drill = await failover(
      'drill',
      'region-loss',
      '--fault-command',
      `touch ${broke}`,
      '--output',
      folder,
    );
    expect(drill.status).toBe(3);
    expect(drill.stderr).toContain('(witness-unreadable)'); // there is no lease store in this world
    expect(existsSync(broke)).toBe(false);
  });
});
