/**
 * A server of AWS in the lab: Debian's cloud-init runs the user data, and from then on the bucket and Secrets Manager are all
 * that anybody touches. No key opens the server, and its firewall drops SSH.
 *
 * Left out: EBS (the data volume is a loop device under the name that it was attached by), and a reboot, since systemd in a
 * container mounts no disks of fstab. A rotated key is looked for every 5 minutes or with the next pointer; here it is the
 * pointer.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { AppliedState, bundleKey, desiredKey, specKey, statusKey } from '../../infra/contract/desired-state';
import type { CredentialName, ServerSpec } from '../../infra/contract/site-spec';
import { parseSums, SUMS_FILE, weightsKey } from '../../infra/contract/weights';
import { progress, REPOSITORY } from '../../tools/cache';
import { CommandFailedError, run } from '../../tools/run';
import { consoleTail, pidsOf } from '../machine';
import { address, LAB_FOLDER, namesFor, serverOf, ZONE } from '../names';
import { ensureClientNetwork, ensureWan } from '../network';
import { CA_FILE, certificateOf, ensurePki } from '../pki';
import { down, inside, prepare } from '../world';
import { LabCloud, REGION, type Pointed } from './cloud';
import { attachVolume, bootCloudServer, detachVolume } from './cloud-server';
import { LEASE_BUCKET, serverSpec, SNAPSHOT_BUCKET } from './server-spec';

const DEPLOY_BUCKET = 'lab-deploy';
const names = namesFor();
const server = serverOf('uk', 1);
const serverAddress = address(names, server.place, server.index);
const newKey = (): string => randomBytes(16).toString('hex');

let cloud: LabCloud;
let device: string | undefined;
let spec: ServerSpec;
let bundle: Pointed;
let clientKey = newKey();
const arns: Partial<Record<CredentialName, string>> = {};

/** What only the rest of the repository can make: the agent's bundle, and the user data for these endpoints. */
async function madeByTheStack(endpoint: string): Promise<{ bundle: string; userData: string }> {
  const args = {
    bucket: DEPLOY_BUCKET,
    region: REGION,
    server: server.name,
    s3Endpoint: endpoint,
    secretsEndpoint: endpoint,
  };
  const script = `
    const { buildAgentBundle } = require('./infra/bundle');
    const { renderUserData } = require('./infra/aws/user-data');
    const userData = renderUserData(${JSON.stringify(args)});
    console.log(JSON.stringify({ bundle: buildAgentBundle().path, userData }));`;
  const words = ['-r', 'ts-node/register/transpile-only', '-e', script];
  return JSON.parse(await run(process.execPath, words, { cwd: REPOSITORY })) as Awaited<
    ReturnType<typeof madeByTheStack>
  >;
}

async function storeSecrets(): Promise<void> {
  const tls = certificateOf('uk-primary');
  const values: Partial<Record<CredentialName, string>> = {
    'client-key': clientKey,
    'operator-key': newKey(),
    'peer-key': newKey(),
    'qdrant-key': newKey(),
    'vllm-key': newKey(),
    'repository-key': newKey(),
    'tls-certificate': await readFile(tls.certificate, 'utf8'),
    'tls-private-key': await readFile(tls.key, 'utf8'),
  };
  for (const [name, value] of Object.entries(values))
    arns[name as CredentialName] = await cloud.createSecret(name, value);
}

/** As `failover model publish` does, which asks for more of a store than its keys. */
async function publishWeights(folder: string): Promise<void> {
  const sums = await readFile(path.join(folder, SUMS_FILE), 'utf8');
  const parsed = parseSums(sums);
  if (!parsed.ok) throw new Error(parsed.problem);
  for (const file of parsed.files)
    await cloud.put(SNAPSHOT_BUCKET, weightsKey(file.sha256), await readFile(path.join(folder, file.path)));
  await cloud.putHashed(SNAPSHOT_BUCKET, weightsKey, sums);
}

/** Writes the spec and then the pointer to it, as the stack does; answers the spec's hash. */
async function deploy(): Promise<string> {
  const pointed = await cloud.putHashed(DEPLOY_BUCKET, specKey, JSON.stringify(spec));
  const secrets = { region: REGION, names: arns };
  const pointer = { schemaVersion: 1, server: server.name, bundle, spec: pointed, secrets };
  await cloud.put(DEPLOY_BUCKET, desiredKey(server.name), JSON.stringify(pointer));
  return pointed.sha256;
}

async function untilApplied(hash: string, seconds: number): Promise<AppliedState> {
  const started = Date.now();
  for (;;) {
    const text = await cloud.get(DEPLOY_BUCKET, statusKey(server.name));
    const state = text === null ? null : AppliedState.parse(JSON.parse(text));
    const after = (Date.now() - started) / 1000;
    if (state?.ok === true && state.spec === hash) {
      progress(`the bucket says ok after ${after.toFixed(1)} s`);
      return state;
    }
    if (after > seconds)
      throw new Error(`not applied after ${seconds} s: ${text}\n${await consoleTail(server)}`);
    await delay(500);
  }
}

const asClient = (words: readonly string[], input = ''): Promise<string> =>
  run('ip', [...inside(names, 'client'), ...words], { input });

/** The answer to a completion over TLS, and its status in the last line. */
async function completion(key: string): Promise<string> {
  const words = [
    ...['curl', '--silent', '--show-error', '--max-time', '20', '--cacert', CA_FILE, '--config', '-'],
    ...['--resolve', `api.${ZONE}:443:${serverAddress}`, '--write-out', '\n%{http_code}'],
    ...['--json', JSON.stringify({ model: 'tiny', prompt: 'The standby is', max_tokens: 8 })],
    `https://api.${ZONE}/v1/completions`,
  ];
  try {
    return await asClient(words, `header = "Authorization: Bearer ${key}"\n`);
  } catch (error) {
    // Before the site has the lease, the edge hangs up.
    if (error instanceof CommandFailedError) return error.output;
    throw error;
  }
}

/** The lease is taken and the canary content a moment after the units have started. */
async function untilCompletion(key: string): Promise<string> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const told = await completion(key);
    if (told.endsWith('\n200') || Date.now() > deadline) return told;
    await delay(500);
  }
}

const engine = (): Promise<number[]> => pidsOf(names, server, 'failover-vllm');

beforeAll(async () => {
  const { mounts, modelFolder } = await prepare();
  await mkdir(LAB_FOLDER, { recursive: true });
  await ensurePki();
  await ensureWan(names);
  await ensureClientNetwork(names);
  cloud = await LabCloud.start(names);
  for (const bucket of [DEPLOY_BUCKET, LEASE_BUCKET, SNAPSHOT_BUCKET]) await cloud.createBucket(bucket);
  await storeSecrets();
  await publishWeights(modelFolder);
  const made = await madeByTheStack(cloud.endpoint);
  bundle = await cloud.putHashed(DEPLOY_BUCKET, bundleKey, await readFile(made.bundle));
  spec = await serverSpec({
    ...{ names, server: server.name, modelFolder, storeEndpoint: cloud.endpoint, region: REGION },
  });
  device = await attachVolume();
  const volume = { device, attachedAs: '/dev/sdf' };
  await bootCloudServer({ names, server, userData: made.userData, mounts, volume });
}, 600_000);

afterAll(async () => {
  await cloud.stop();
  await down(); // before the volume, which the server has mounted
  if (device !== undefined) await detachVolume(device);
}, 120_000);

it('becomes what its bucket says from its user data alone', async () => {
  const hash = await deploy();
  const state = await untilApplied(hash, 240);
  expect(state).toMatchObject({ error: null, bundle: bundle.sha256, wanted: { spec: hash } });
  const told = await untilCompletion(clientKey);
  expect(told).toMatch(/"text_completion"[^]*\n200$/);
  expect(await completion(newKey())).toMatch(/\n401$/);
}, 320_000);

it('keeps what it remembers on the data volume', async () => {
  const label = ['--probe', '--match-tag', 'TYPE', '--output', 'value'];
  expect((await run('blkid', [...label, device ?? ''])).trim()).toBe('ext4');
  const [pid = 0] = await pidsOf(names, server, 'failover-qdrant');
  const mounts = await readFile(`/proc/${pid}/mountinfo`, 'utf8');
  for (const [folder, seenAt] of [
    ['/qdrant', '/var/lib/failover-qdrant'],
    ['/agent', '/var/lib/failover-agent'],
  ])
    expect(mounts).toMatch(new RegExp(` ${folder} ${seenAt} .* ext4 `));
});

it('lets nobody log in', async () => {
  const ssh = ['curl', '--silent', '--max-time', '2', `telnet://${serverAddress}:22`];
  await expect(asClient(ssh)).rejects.toThrow('status 28'); // no answer at all
});

it('takes a changed spec within a minute and a half, without a reboot or a new engine', async () => {
  const before = await engine();
  expect(before).not.toEqual([]);
  spec = { ...spec, edge: { ...spec.edge!, maxConnections: 5000 } };
  await untilApplied(await deploy(), 90);
  expect(await engine()).toEqual(before);
  expect(await untilCompletion(clientKey)).toMatch(/\n200$/);
}, 160_000);

it('takes a rotated client key, and the one before for a while', async () => {
  const [before, next] = [clientKey, newKey()];
  expect(await completion(next)).toMatch(/\n401$/);
  await cloud.rotateSecret(arns['client-key'] ?? '', next);
  spec = { ...spec, edge: { ...spec.edge!, maxConnections: 4096 } };
  const { secretVersions } = await untilApplied(await deploy(), 90);
  clientKey = next;
  expect(secretVersions['client-key']).toHaveLength(2);
  for (const key of [before, next]) expect(await untilCompletion(key)).toMatch(/\n200$/);
  expect(await completion(newKey())).toMatch(/\n401$/);
}, 160_000);
