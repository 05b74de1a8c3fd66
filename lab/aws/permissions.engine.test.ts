/**
 * The primary on a server that exists, standby and witness on AWS; and what the sites may do to the buckets, judged by the
 * emulator's own evaluation of the policies that were deployed.
 */
import { AwsError, type AwsCredentials, type JsonMap } from '../../tools/plugins/aws/bridge';
import { ExampleWorld, NAME_PREFIX, REGIONS } from './example';

const ACCOUNT = '123456789012';
const bucketOf = (role: string): string => `${NAME_PREFIX}-${role}-${ACCOUNT}`;
const SNAPSHOTS = bucketOf('snapshots');
const LEASE = bucketOf('lease');
/** Logs are in the standby's region and, where the primary is in none, in the witness's. */
const FAR_LOGS = bucketOf(`logs-${REGIONS.witness}`);
const EU_DEPLOY = bucketOf('eu-standby-deploy');

let world: ExampleWorld;
let primary: AwsCredentials;
let standby: AwsCredentials;

beforeAll(async () => {
  world = await ExampleWorld.start({ primaryOn: 'dedicated' });
  for (const stack of ['witness', 'eu-standby'] as const) await world.up(stack);
  primary = await accountOf('uk-primary');
  standby = await roleOf('eu-standby');
  // What the other site and an earlier deployment have left there.
  await put(SNAPSHOTS, 'uk-primary/part');
  await put(SNAPSHOTS, 'eu-standby/part');
  await put(LEASE, 'lease.json');
  await put(LEASE, 'history/0000000001.json');
  await put(FAR_LOGS, 'logs/eu-standby/eu-standby-1/earlier');
  await put(EU_DEPLOY, 'desired/eu-standby-1.json');
  await world.moto.authorize(true);
}, 300_000);
afterAll(() => world.dispose());

/** The witness makes an account for a site outside of AWS. */
async function accountOf(site: 'uk-primary'): Promise<AwsCredentials> {
  const words = ['stack', 'output', 'storeAccounts', '--json', '--show-secrets', '--stack', 'witness'];
  const accounts = JSON.parse(await world.pulumi(words)) as Record<string, AwsCredentials>;
  const account = accounts[site];
  if (account === undefined)
    throw new Error(`no account of ${site} among ${Object.keys(accounts).join(', ')}`);
  return account;
}

/** The role of the site's instance, as the instance itself takes it on. */
async function roleOf(site: 'eu-standby'): Promise<AwsCredentials> {
  const region = REGIONS[site];
  const { Reservations } = await world.ask('ec2', region, 'describe_instances');
  const [instance] = (Reservations as JsonMap[]).flatMap(({ Instances }) => Instances as JsonMap[]);
  const profile = String((instance?.['IamInstanceProfile'] as JsonMap)['Arn'])
    .split('/')
    .at(-1);
  const found = await world.ask('iam', region, 'get_instance_profile', {
    InstanceProfileName: String(profile),
  });
  const [role] = (found['InstanceProfile'] as JsonMap)['Roles'] as JsonMap[];
  const { Credentials } = await world.ask('sts', region, 'assume_role', {
    RoleArn: String(role?.['Arn']),
    RoleSessionName: 'server',
  });
  const { AccessKeyId, SecretAccessKey, SessionToken } = Credentials as Record<string, string>;
  return {
    accessKey: String(AccessKeyId),
    secretKey: String(SecretAccessKey),
    sessionToken: String(SessionToken),
  };
}

const s3 = (operation: string, Bucket: string, params: JsonMap, as?: AwsCredentials): Promise<JsonMap> =>
  world.ask(
    's3',
    Bucket === EU_DEPLOY ? REGIONS['eu-standby'] : REGIONS.witness,
    operation,
    { Bucket, ...params },
    as,
  );
const put = (bucket: string, Key: string, as?: AwsCredentials): Promise<JsonMap> =>
  s3('put_object', bucket, { Key, Body: { $base64: 'eA==' } }, as);

/** `allowed`, or the code of the refusal. */
async function attempt(who: AwsCredentials, operation: string, bucket: string, key: string): Promise<string> {
  try {
    if (operation === 'put_object') await put(bucket, key, who);
    else await s3(operation, bucket, { Key: key }, who);
    return 'allowed';
  } catch (error) {
    if (error instanceof AwsError) return error.code;
    throw error;
  }
}

it('previews the primary on its own server, with an account at the witness’s store', async () => {
  const words = ['preview', '--non-interactive', '--color', 'never', '--stack', 'uk-primary'];
  const said = await world.pulumi([...words, ...world.configWords('uk-primary')]);
  expect(said).toMatch(/failover:dedicated:SiteAgent/);
  expect(said).toContain('failover:aws:Route53SiteRecord');
  expect(said).not.toMatch(/aws:ec2|aws:s3|aws:iam/);
}, 60_000);

describe('the primary’s server', () => {
  it.each([
    ['may write its own publishes', 'put_object', SNAPSHOTS, 'uk-primary/another', 'allowed'],
    ['may renew the lease', 'put_object', LEASE, 'lease.json', 'allowed'],
    ['may read what the standby published', 'get_object', SNAPSHOTS, 'eu-standby/part', 'allowed'],
    ['may not remove it', 'delete_object', SNAPSHOTS, 'eu-standby/part', 'AccessDenied'],
    ['may not write over it', 'put_object', SNAPSHOTS, 'eu-standby/part', 'AccessDenied'],
    [
      'may not change the standby’s servers',
      'put_object',
      EU_DEPLOY,
      'desired/eu-standby-1.json',
      'AccessDenied',
    ],
  ])('%s', async (_what, operation, bucket, key, outcome) => {
    expect(await attempt(primary, operation, bucket, key)).toBe(outcome);
  });
});

describe('the standby’s servers', () => {
  it.each([
    ['read the primary’s publishes', 'get_object', SNAPSHOTS, 'uk-primary/part'],
    ['write their own', 'put_object', SNAPSHOTS, 'eu-standby/another'],
    ['remove their own', 'delete_object', SNAPSHOTS, 'eu-standby/part'],
    ['move the pointer to the latest publish', 'put_object', SNAPSHOTS, 'latest'],
    ['read the lease', 'get_object', LEASE, 'lease.json'],
    ['claim the lease', 'put_object', LEASE, 'lease.json'],
    ['say who of them leads', 'put_object', LEASE, 'leaders/eu-standby.json'],
    ['read what they should be', 'get_object', EU_DEPLOY, 'desired/eu-standby-1.json'],
    ['tell what they are', 'put_object', EU_DEPLOY, 'status/eu-standby-1.json'],
    ['ship their logs into the other region', 'put_object', FAR_LOGS, 'logs/eu-standby/eu-standby-1/now'],
  ])('may %s', async (_what, operation, bucket, key) => {
    expect(await attempt(standby, operation, bucket, key)).toBe('allowed');
  });

  it.each([
    ['remove the primary’s publishes', 'delete_object', SNAPSHOTS, 'uk-primary/part'],
    ['write over the primary’s publishes', 'put_object', SNAPSHOTS, 'uk-primary/part'],
    ['remove the pointer', 'delete_object', SNAPSHOTS, 'latest'],
    ['say who leads the primary', 'put_object', LEASE, 'leaders/uk-primary.json'],
    ['remove the lease', 'delete_object', LEASE, 'lease.json'],
    ['remove the history of the lease', 'delete_object', LEASE, 'history/0000000001.json'],
    ['change what they should be', 'put_object', EU_DEPLOY, 'desired/eu-standby-1.json'],
    ['put another program in place', 'put_object', EU_DEPLOY, `bundles/${'0'.repeat(64)}.js`],
    ['read logs', 'get_object', FAR_LOGS, 'logs/eu-standby/eu-standby-1/earlier'],
    ['remove logs', 'delete_object', FAR_LOGS, 'logs/eu-standby/eu-standby-1/earlier'],
    ['write the primary’s logs', 'put_object', FAR_LOGS, 'logs/uk-primary/uk-primary-1/now'],
  ])('may not %s', async (_what, operation, bucket, key) => {
    expect(await attempt(standby, operation, bucket, key)).toBe('AccessDenied');
  });
});
