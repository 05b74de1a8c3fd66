/** What the emulated plugin refuses, and what the stacks do not use: webhooks. */
import { CloudflareApi } from '../cloudflare-api/server';
import { emulatedCloudflareEnvironment } from './cloudflare/install';
import { Project } from './testing/project';

const ACCOUNT = 'a'.repeat(32);
const ZONE = 'b'.repeat(32);
const TOKEN = 'token-of-the-deployment';

let api: CloudflareApi;
let baseUrl: string;
let project: Project;

beforeEach(async () => {
  api = await CloudflareApi.start({
    accountId: ACCOUNT,
    token: TOKEN,
    zones: [{ id: ZONE, name: 'example.com', nameServers: ['ada.ns.cloudflare.com'] }],
    loadBalancing: { interval: [60, 3600], maxOrigins: 5, maxRegions: 1 },
  });
  baseUrl = api.baseUrl;
});
afterEach(async () => {
  await project.end();
  await api.stop();
});

async function start(variables: NodeJS.ProcessEnv = {}): Promise<void> {
  project = await Project.create(async (env) => ({
    ...(await emulatedCloudflareEnvironment(env)),
    CLOUDFLARE_BASE_URL: baseUrl,
    CLOUDFLARE_API_TOKEN: TOKEN,
    ...variables,
  }));
}

const program = (type: string, args: object): string =>
  `const cloudflare = require('@pulumi/cloudflare');
   const args = ${JSON.stringify(args)};
   if (args.url !== undefined) args.url = pulumi.secret(args.url);
   const made = new cloudflare.${type}('made', args);
   exports.id = made.id;`;
const RECORD = { zoneId: ZONE, name: 'api.example.com', type: 'A', content: '192.0.2.10', ttl: 60 };

describe('the emulated plugin', () => {
  it.each([
    [
      'a type that the program does not use',
      'R2BucketLock',
      { accountId: ACCOUNT, bucketName: 'x' },
      /has no resource type/,
    ],
    ['an input that it does not know', 'DnsRecord', { ...RECORD, tags: ['x'] }, /tags.*is not an input/],
    [
      'an input that is missing',
      'DnsRecord',
      { ...RECORD, ttl: undefined },
      /Missing required property 'ttl'|ttl.*is required/,
    ],
    ['a value that the API refuses', 'DnsRecord', { ...RECORD, ttl: 30 }, /Invalid TTL.* \(9021\)/],
    ['an object of another account', 'R2Bucket', { accountId: 'c'.repeat(32), name: 'lease' }, /\(7003\)/],
  ])('refuses %s', async (_what, type, args, message) => {
    await start();
    const { status, output } = await project.up(program(type, args));
    expect(status).not.toBe(0);
    expect(output).toMatch(message);
    expect(api.writes).toEqual([]);
  });

  it('refuses an API that is not on this machine', async () => {
    await start({ CLOUDFLARE_BASE_URL: 'https://api.cloudflare.com/client/v4' });
    const { status, output } = await project.up(program('DnsRecord', RECORD));
    expect(status).not.toBe(0);
    expect(output).toContain('this plugin works against an emulator on 127.0.0.1 only');
  });

  it('says what the API says of a wrong token', async () => {
    await start({ CLOUDFLARE_API_TOKEN: 'another' });
    expect((await project.up(program('DnsRecord', RECORD))).output).toContain('Authentication error (10000)');
  });

  it('makes a bucket anew in another jurisdiction, and changes its storage class where it is', async () => {
    const bucket = { accountId: ACCOUNT, name: 'failover-lease' };
    await start();
    await project.mustUp(program('R2Bucket', { ...bucket, storageClass: 'InfrequentAccess' }));
    await project.mustUp(program('R2Bucket', bucket));
    await project.mustUp(program('R2Bucket', { ...bucket, jurisdiction: 'eu' }));
    expect(api.writes.map((write) => write.split(' ')[0])).toEqual(['POST', 'PATCH', 'POST', 'DELETE']);
  });

  it('changes an address where it is', async () => {
    await start();
    await project.mustUp(program('DnsRecord', RECORD));
    const before = (await project.outputs())['id'];
    await project.mustUp(program('DnsRecord', { ...RECORD, content: '192.0.2.11' }));
    expect((await project.outputs())['id']).toBe(before);
  });
});

describe('a webhook', () => {
  const URL = 'https://hooks.slack.com/services/T000/B000/known-to-us-alone';
  const SECRET = 'header-that-proves-the-sender';
  const webhook = { accountId: ACCOUNT, name: 'slack', url: URL, secret: SECRET };

  it('is secret in the state, its address too, and stays so after a look at the account', async () => {
    await start();
    const words = program('NotificationPolicyWebhooks', webhook);
    await project.mustUp(words);
    await project.mustUp(words, '--refresh', '--expect-no-changes');
    const state = await project.stateText();
    expect(state).not.toContain(SECRET);
    expect(state).not.toContain(URL);
    expect((await project.resource('made')).outputs).toMatchObject({ type: 'slack' });
  });
});
