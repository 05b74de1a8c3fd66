import { ServerSpec } from '../../../infra/contract/site-spec';
import { versionFolder } from '../../../infra/contract/weights';
import { KilledError } from '../testing/memory-host';
import { World } from '../testing/world';
import { orderProblem, type RolloutStatus } from './rollout-order';

const OLD = 'a'.repeat(64);
const NEW = 'b'.repeat(64);
const KNOWN = { prompt: 'The standby is', answer: ' ready' };

const document = (sha256: string, model: object = {}): ServerSpec =>
  ServerSpec.parse({
    schemaVersion: 1,
    server: { site: 'uk-primary', name: 'uk-1' },
    credentials: { 'vllm-key': 'vllm-secret-1', 'operator-key': 'operator-secret-1\noperator-secret-0' },
    inference: {
      runtime: { kind: 'venv', path: '/opt/vllm' },
      model: {
        name: 'tiny',
        folder: '/srv/models',
        sha256,
        store: { endpoint: 'https://s3.example.com', region: 'r', bucket: 'b', credentials: 'instance' },
        ...model,
      },
    },
  });

/** A server with an agent that holds the lease or not, a peer, and an engine that goes on with some text. */
class Rollout {
  readonly world = new World(() => null);
  status: unknown = {
    site: 'uk-primary',
    lease: { epoch: 3, holder: 'eu-standby' },
    peer: { health: 'healthy', modelSha256: OLD },
  };
  says = ' ready and more';
  readonly asked: unknown[] = [];

  constructor() {
    this.world.host.httpAnswer = (url, { headers, body }) => {
      if (url.endsWith('/status')) {
        const known = headers?.['authorization'] === 'Bearer operator-secret-1';
        if (this.status === null) throw new Error('connect ECONNREFUSED');
        return { status: known ? 200 : 401, body: JSON.stringify(this.status) };
      }
      if (!url.endsWith('/v1/completions')) return { status: 200, body: '' };
      this.asked.push(JSON.parse(body ?? ''));
      return { status: 200, body: JSON.stringify({ choices: [{ text: this.says }] }) };
    };
  }

  hold(peer: { health?: string; modelSha256?: string | null } = {}): void {
    this.status = {
      site: 'uk-primary',
      lease: { epoch: 3, holder: 'uk-primary' },
      peer: { health: 'healthy', modelSha256: OLD, ...peer },
    };
  }

  apply(sha256: string, model: object = {}): Promise<number> {
    return this.world.apply(document(sha256, model));
  }

  get unit(): string {
    return this.world.host.text('/etc/systemd/system/failover-vllm.service') ?? '';
  }

  serving(): unknown {
    return this.world.host.nodes.get('/srv/models/serving');
  }

  has(sha256: string): boolean {
    return this.world.host.nodes.has(`${versionFolder('/srv/models', sha256)}/SHA256SUMS`);
  }
}

describe('a new version of the weights', () => {
  it('is pulled, served, asked, and only then alone', async () => {
    const rollout = new Rollout();
    await rollout.apply(OLD);
    expect(rollout.serving()).toMatchObject({ target: 'aaaaaaaaaaaa' });
    await rollout.apply(NEW, { knownAnswer: KNOWN });
    expect(rollout.unit).toContain('/srv/models/bbbbbbbbbbbb');
    expect(rollout.asked).toEqual([expect.objectContaining({ prompt: KNOWN.prompt, temperature: 0 })]);
    expect(rollout.serving()).toMatchObject({ target: 'bbbbbbbbbbbb' });
    expect([rollout.has(OLD), rollout.has(NEW)]).toEqual([false, true]);
    expect(rollout.world.lines).toContain(
      'inference: pulled the weights bbbbbbbbbbbb of example/tiny at 0123abc: 1 files, 1.00 GB',
    );
    expect(await rollout.apply(NEW, { knownAnswer: KNOWN })).toBe(0);
    expect(rollout.asked).toHaveLength(1);
  });

  it('that does not answer as it should is stopped, so that no standby counts on it; the one before can come back', async () => {
    const rollout = new Rollout();
    await rollout.apply(OLD);
    rollout.says = ' a banana';
    await expect(rollout.apply(NEW, { knownAnswer: KNOWN })).rejects.toThrow(
      /model-mismatch|should go on with " ready" and says " a banana"/,
    );
    expect(rollout.world.host.systemd.log[rollout.world.host.systemd.log.length - 1]).toBe(
      'stop failover-vllm.service',
    );
    expect(rollout.serving()).toMatchObject({ target: 'aaaaaaaaaaaa' });
    expect(rollout.has(OLD)).toBe(true);
    rollout.says = ' ready';
    await rollout.apply(OLD);
    expect(rollout.unit).toContain('/srv/models/aaaaaaaaaaaa');
    expect(rollout.world.host.systemd.log).toContain('restart failover-vllm.service');
  });

  it('that does not come up leaves the one before on the disk', async () => {
    const rollout = new Rollout();
    await rollout.apply(OLD);
    rollout.world.host.httpAnswer = (url) =>
      url.endsWith('/status')
        ? { status: 200, body: JSON.stringify(rollout.status) }
        : { status: 503, body: '' };
    await expect(rollout.apply(NEW)).rejects.toMatchObject({ code: 'not-ready' });
    expect(rollout.has(OLD)).toBe(true);
  });

  it('is refused by the holder until its peer serves it, without touching the engine, but is here by then', async () => {
    const rollout = new Rollout();
    await rollout.apply(OLD);
    rollout.hold();
    const { unit } = rollout;
    const log = [...rollout.world.host.systemd.log];
    await expect(rollout.apply(NEW)).rejects.toMatchObject({
      code: 'model-order',
      message: expect.stringMatching(
        /its peer does not serve bbbbbbbbbbbb yet\. Deploy the new version to the standby first/,
      ) as string,
    });
    expect(rollout.unit).toBe(unit);
    expect(rollout.world.host.systemd.log).toEqual(log);
    expect([rollout.has(OLD), rollout.has(NEW)]).toEqual([true, true]);
    rollout.hold({ modelSha256: NEW });
    await rollout.apply(NEW);
    expect(rollout.serving()).toMatchObject({ target: 'bbbbbbbbbbbb' });
  });

  it('is refused when no agent says who holds the lease, and taken in any order where that is configured', async () => {
    const rollout = new Rollout();
    await rollout.apply(OLD);
    rollout.status = null;
    await expect(rollout.apply(NEW)).rejects.toThrow(
      /the agent's to say, and it does not \(connect ECONNREFUSED\)/,
    );
    await rollout.apply(NEW, { rolloutOrder: 'any' });
    expect(rollout.serving()).toMatchObject({ target: 'bbbbbbbbbbbb' });
  });

  it('asks nobody for the very first version', async () => {
    const rollout = new Rollout();
    rollout.status = null;
    await rollout.apply(OLD);
    expect(rollout.serving()).toMatchObject({ target: 'aaaaaaaaaaaa' });
  });

  it('never loses the version that serves, wherever apply is killed', async () => {
    for (let at = 1; ; at += 1) {
      const rollout = new Rollout();
      await rollout.apply(OLD);
      const { host } = rollout.world;
      host.killAt = host.mutations + at;
      const killed = await rollout.apply(NEW, { knownAnswer: KNOWN }).catch((error: unknown) => error);
      const serving = (rollout.serving() as { target: string } | undefined)?.target;
      expect(serving).toBeDefined();
      expect(rollout.has(serving === 'aaaaaaaaaaaa' ? OLD : NEW)).toBe(true);
      host.killAt = null;
      await rollout.apply(NEW, { knownAnswer: KNOWN });
      expect(rollout.serving()).toMatchObject({ target: 'bbbbbbbbbbbb' });
      expect(rollout.unit).toContain('/srv/models/bbbbbbbbbbbb');
      if (!(killed instanceof KilledError)) {
        expect(at).toBeGreaterThan(4);
        return;
      }
    }
  });
});

describe('whose turn it is', () => {
  const status = (over: Partial<RolloutStatus>): RolloutStatus => ({
    site: 'uk-primary',
    lease: { holder: 'uk-primary' },
    peer: { health: 'healthy', modelSha256: NEW },
    ...over,
  });

  it.each<[string, Partial<RolloutStatus>, RegExp | null]>([
    ['the holder whose peer serves it', {}, null],
    ['the standby', { lease: { holder: 'eu-standby' }, peer: { health: 'failing' } }, null],
    [
      'the holder whose peer serves another',
      { peer: { health: 'healthy', modelSha256: OLD } },
      /does not serve/,
    ],
    [
      'the holder whose peer was never seen',
      { peer: { health: 'unknown', modelSha256: null } },
      /peer is unknown/,
    ],
    [
      'the holder whose peer is failing',
      { peer: { health: 'failing', modelSha256: NEW } },
      /peer is failing/,
    ],
    ['a site that does not know the holder', { lease: null }, /does not know who holds/],
  ])('%s', (_who, over, problem) => {
    const said = orderProblem(status(over), NEW);
    if (problem === null) expect(said).toBeNull();
    else expect(said).toMatch(problem);
  });
});
