/** The model and the engine that the lab's sites serve: made twice the same, and served by the real vLLM on a server. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { CommandFailedError, run } from '../tools/run';
import { KNOWN_ANSWER, ON_SERVER, VLLM_ARGS, VLLM_ENVIRONMENT } from './config';
import { makeModel } from './model/ensure';
import { TestCheckout } from './testing/checkout';

describe('the tiny model', () => {
  const folders: string[] = [];
  afterAll(async () => {
    for (const folder of folders) await rm(folder, { recursive: true });
  });

  it('is the same byte for byte when it is made twice, and its list of hashes is complete', async () => {
    for (const name of ['one-', 'two-']) {
      const folder = await mkdtemp(path.join(tmpdir(), name));
      folders.push(folder);
      await makeModel(folder);
    }
    const [one = '', two = ''] = folders;
    const files = (await readdir(one)).sort();
    expect((await readdir(two)).sort()).toEqual(files);
    for (const file of files) {
      const same = (await readFile(path.join(one, file))).equals(await readFile(path.join(two, file)));
      expect([file, same]).toEqual([file, true]);
    }
    const listed = (await readFile(path.join(one, 'SHA256SUMS'), 'utf8')).trim().split('\n');
    expect(listed.map((line) => line.split('  ')[1]).sort()).toEqual(
      files.filter((file) => file !== 'SHA256SUMS'),
    );
    await run('sha256sum', ['--check', '--quiet', 'SHA256SUMS'], { cwd: one });
  });
});

describe('vLLM on a server', () => {
  let checkout: TestCheckout;
  beforeAll(async () => {
    checkout = await TestCheckout.make();
    await checkout.lab('up');
  });
  afterAll(async () => checkout.remove());

  const ask = async (url: string, body?: object): Promise<string> =>
    checkout.ssh(
      'uk-1',
      `curl --silent --fail --max-time 20 http://127.0.0.1:8000${url} ` +
        (body === undefined ? '' : `--json '${JSON.stringify(body)}'`),
    );

  const complete = async (): Promise<string> => {
    const told = await ask('/v1/completions', {
      model: 'tiny',
      prompt: KNOWN_ANSWER.prompt,
      max_tokens: 8,
      temperature: 0,
    });
    return (JSON.parse(told) as { choices: { text: string }[] }).choices[0]?.text ?? '';
  };

  const ready = (): Promise<boolean> =>
    ask('/health').then(
      () => true,
      (error: unknown) => {
        if (error instanceof CommandFailedError) return false;
        throw error;
      },
    );

  it('serves the model from read-only mounts, and answers the same when asked again', async () => {
    const environment = Object.entries({ ...VLLM_ENVIRONMENT, HOME: '/var/lib/tiny' });
    await checkout.ssh(
      'uk-1',
      [
        ...[
          'systemd-run',
          '--quiet',
          '--unit=tiny',
          '--property=DynamicUser=yes',
          '--property=StateDirectory=tiny',
        ],
        ...environment.map(([name, value]) => `--setenv=${name}=${value}`),
        ...[`${ON_SERVER.vllm}/bin/vllm`, 'serve', ON_SERVER.model, '--host=127.0.0.1', '--port=8000'],
        ...['--served-model-name=tiny', ...VLLM_ARGS],
      ].join(' '),
    );
    const deadline = Date.now() + 400_000;
    while (!(await ready())) {
      if (Date.now() > deadline)
        throw new Error(await checkout.ssh('uk-1', 'journalctl -u tiny -n 40 --no-pager'));
      await delay(1000);
    }
    const answer = await complete();
    expect(answer).toMatch(new RegExp(`^${KNOWN_ANSWER.answer}`));
    expect(await complete()).toBe(answer);
    const chat = { model: 'tiny', messages: [{ role: 'user', content: 'hello' }], max_tokens: 1 };
    expect(await ask('/v1/chat/completions', chat)).toContain('"role":"assistant"');
  });

  it('leaves the cores to others when it is idle', async () => {
    const ticks = async (): Promise<number> =>
      Number(
        await checkout.ssh(
          'uk-1',
          "cat $(systemctl show -p ControlGroup --value tiny | sed 's|^|/sys/fs/cgroup/systemd|')/cgroup.procs | while read p; do cut -d' ' -f14,15 /proc/$p/stat; done | awk '{n += $1 + $2} END {print n}'",
        ),
      );
    const before = await ticks();
    await delay(5_000);
    expect((await ticks()) - before).toBeLessThan(100); // of 500 a core; spinning takes all of them
  });
});
