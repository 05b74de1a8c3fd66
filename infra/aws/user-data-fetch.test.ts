import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleKey, desiredKey } from '../contract/desired-state';
import { FakeInstance } from '../contract/testing/fake-instance';
import { fetchScript, HELPERS } from './user-data-parts';

const BUCKET = 'site-deploy';
const BUNDLE = 'console.log("a bundle");\n';
const HASH = createHash('sha256').update(BUNDLE).digest('hex');
const pointer = (hash: string): string =>
  JSON.stringify({ schemaVersion: 1, bundle: { key: bundleKey(hash), sha256: hash } });

let home: string;
let instance: FakeInstance;
let origin: string;
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'failover-first-boot-'));
  mkdirSync(join(home, 'incoming'));
  instance = new FakeInstance();
  origin = await instance.start();
});
afterEach(async () => {
  await instance.stop();
  rmSync(home, { recursive: true });
});

function fetchBundle(): Promise<{ status: number; stderr: string }> {
  const fetchPart = fetchScript({
    bucket: BUCKET,
    region: 'eu-west-2',
    metadata: origin,
    s3: origin,
    pointer: desiredKey('uk-1'),
  });
  const script = `set -euo pipefail\n${HELPERS.replace('home=/opt/failover', `home=${home}`)}\n${fetchPart}\nfetch_bundle\n`;
  return new Promise((resolve) =>
    execFile('bash', ['-c', script], (error, _stdout, stderr) =>
      resolve({ status: error === null ? 0 : Number(error.code), stderr }),
    ),
  );
}
const fetched = (): string => readFileSync(join(home, 'incoming', 'first.js'), 'utf8');

it('fetches the bundle that the pointer names with the role of the instance', async () => {
  instance.objects.set(`/${BUCKET}/${desiredKey('uk-1')}`, pointer(HASH));
  instance.objects.set(`/${BUCKET}/${bundleKey(HASH)}`, BUNDLE);
  expect(await fetchBundle()).toEqual({ status: 0, stderr: '' });
  expect(fetched()).toBe(BUNDLE);
});

it('fails while there is no pointer', async () => {
  const { status, stderr } = await fetchBundle();
  expect(status).not.toBe(0);
  expect(stderr).toContain('404');
});

it('fails on a pointer that names nothing', async () => {
  instance.objects.set(`/${BUCKET}/${desiredKey('uk-1')}`, '{}');
  const { status, stderr } = await fetchBundle();
  expect(status).toBe(1);
  expect(stderr).toContain('failover: desired/uk-1.json names no bundle');
});

it('refuses other bytes than those of the hash', async () => {
  instance.objects.set(`/${BUCKET}/${desiredKey('uk-1')}`, pointer(HASH));
  instance.objects.set(`/${BUCKET}/${bundleKey(HASH)}`, `${BUNDLE}evil();`);
  const { status, stderr } = await fetchBundle();
  expect(status).toBe(1);
  expect(stderr).toContain('has not the SHA-256');
});
