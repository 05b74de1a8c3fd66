/** The built bundle's own command, with the keys of an instance's role. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { FakeInstance } from '../../../infra/contract/testing/fake-instance';
import { buildSync } from 'esbuild';
import { AppliedState, desiredKey, statusKey } from '../../../infra/contract/desired-state';
import { FAILED_AND_TOLD } from './pull';

const SERVER = 'uk-1';
jest.setTimeout(60_000);
let folder: string;
let bundle: string;
let instance: FakeInstance;
let origin: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pull-bundle-'));
  bundle = join(folder, 'agent.js');
  const entry = resolve(__dirname, '../../main.ts');
  buildSync({ entryPoints: [entry], outfile: bundle, bundle: true, platform: 'node', logLevel: 'silent' });
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(async () => {
  instance = new FakeInstance();
  origin = await instance.start();
});
afterEach(() => instance.stop());

function pull(...args: string[]): Promise<{ code: number | null; stderr: string }> {
  return new Promise((done, reject) => {
    const child = spawn(process.execPath, [bundle, 'pull', ...args], {
      env: { PATH: process.env['PATH'] },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', reject);
    child.on('close', (code) => done({ code, stderr }));
  });
}

it('reads its pointer and reports with the role of the instance', async () => {
  instance.objects.set(`/site-deploy/${desiredKey(SERVER)}`, '{}');
  const { code, stderr } = await pull(
    ...['--bucket', 'site-deploy', '--region', 'eu-west-2', '--server', SERVER],
    ...['--endpoint', origin, '--metadata-endpoint', origin],
  );
  expect(stderr).toContain(`failover-agent: desired-state: ${desiredKey(SERVER)} has problems`);
  expect(code).toBe(FAILED_AND_TOLD);
  const status: unknown = JSON.parse(instance.objects.get(`/site-deploy/${statusKey(SERVER)}`) ?? 'null');
  expect(AppliedState.parse(status)).toMatchObject({ server: SERVER, ok: false, wanted: null });
});

it('says how it is used', async () => {
  expect(await pull('--bucket', 'b')).toMatchObject({ code: 64 });
});
