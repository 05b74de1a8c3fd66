import { ConfigurationError, type Problem } from './problems';
import { TestAuthority } from './testing/certificates';
import {
  AWS_SITE,
  AWS_STANDBY,
  AWS_WITNESS,
  type Files,
  parse,
  SITE,
  validFiles,
  WITNESS,
} from './testing/valid-config';

let files: Files;
beforeAll(() => {
  const authority = new TestAuthority();
  files = validFiles(authority);
  authority.remove();
  files['dns-token'] = 'hush\n';
  files['slack'] = 'https://hooks.slack.test/services/T/B/x\n';
});

function problems(change: object, base: object = AWS_SITE): readonly Problem[] {
  try {
    parse({ ...base, ...change }, files);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems;
    throw error;
  }
  throw new Error('the configuration was accepted');
}
const CLOUDFLARE = {
  dnsProvider: 'cloudflare',
  cloudflareAccountId: 'a'.repeat(32),
  cloudflareZoneId: 'b'.repeat(32),
  cloudflareTokenFile: 'dns-token',
} as const;
const R2 = {
  ...CLOUDFLARE,
  witnessPlatform: 'cloudflare',
  witnessAddresses: [],
  storeAccessKeyFile: 'dns-token',
  storeSecretKeyFile: 'dns-token',
} as const;
const [UK, EU] = AWS_SITE.sites ?? [];

describe('stacks on AWS', () => {
  it.each([
    ['a site', AWS_SITE, { kind: 'site', platform: 'aws', own: { region: 'eu-west-2' } }],
    ['its standby', AWS_STANDBY, { kind: 'site', platform: 'aws', own: { region: 'eu-central-1' } }],
    ['the witness, without a server or a certificate', AWS_WITNESS, { kind: 'witness', platform: 'aws' }],
  ])('%s', (_what, config, expected) => {
    expect(parse({ ...config }, files)).toMatchObject(expected);
  });

  it('may have an instance for each of several addresses', () => {
    const sites = [{ ...UK, addresses: ['203.0.113.10', '203.0.113.11'] }, EU];
    expect(() => parse({ ...AWS_SITE, sites }, files)).not.toThrow();
  });

  it('may stand beside a site on dedicated servers', () => {
    const sites = [{ ...UK, platform: 'dedicated', region: '' }, EU];
    const { servers, sshPrivateKeyFile } = SITE;
    const dedicated = { ...AWS_SITE, awsAmi: '', servers, sshPrivateKeyFile, sites };
    expect(parse(dedicated, files)).toMatchObject({ platform: 'dedicated', server: { name: 'uk-1' } });
    expect(parse({ ...AWS_STANDBY, sites }, files)).toMatchObject({ platform: 'aws' });
  });

  it.each([
    [
      'a site on aws with a witness that is not',
      { witnessPlatform: 'dedicated', witnessAddresses: ['192.0.2.9'] },
      'witnessPlatform',
    ],
    ['a witness in a region of a site', { witnessRegion: 'eu-central-1' }, 'witnessRegion'],
    ['a witness without a region', { witnessRegion: '' }, 'witnessRegion'],
    ['both sites in one region', { sites: [UK, { ...EU, region: 'eu-west-2' }] }, 'sites'],
    ['a site on aws without a region', { sites: [UK, { ...EU, region: '' }] }, 'sites'],
    ['a dedicated site with a region', { sites: [UK, { ...EU, platform: 'dedicated' }] }, 'sites'],
    ['a region that is none', { sites: [UK, { ...EU, region: 'London' }] }, 'sites[1].region'],
    ['no prefix for names', { awsNamePrefix: '' }, 'awsNamePrefix'],
    ['no machine image', { awsAmi: '' }, 'awsAmi'],
    ['an image that is none', { awsAmi: 'latest' }, 'awsAmi'],
    ['servers that the stack makes itself', { servers: SITE.servers }, 'servers'],
    [
      'a Python environment in place of a container',
      { inferenceRuntime: 'venv', inferenceImage: '', inferenceVenvPath: '/opt/vllm' },
      'inferenceRuntime',
    ],
    ['logs that are locked for longer than they are kept', { awsLogLockDays: 91 }, 'awsLogLockDays'],
    ['weights on the disk that goes with the instance', { modelsFolder: '/srv/models/tiny' }, 'modelsFolder'],
    ['weights beside the data volume', { modelsFolder: '/srv/failover-models/tiny' }, 'modelsFolder'],
    ['weights that only seem to lie on it', { modelsFolder: '/srv/failover/../models' }, 'modelsFolder'],
    ['weights in place of the volume', { modelsFolder: '/srv/failover/' }, 'modelsFolder'],
    ['a GPU that cannot hold the model', { modelGib: 30 }, 'awsInstanceType'],
    [
      'a nameserver on a witness that has no server',
      { dnsProvider: 'powerdns', dnsCheckIntervalSeconds: 10 },
      'dnsProvider',
    ],
    ['a check that Route 53 does not offer', { dnsCheckIntervalSeconds: 10 }, 'dnsCheckIntervalSeconds'],
    [
      'a TTL that would keep clients on a lost site',
      { dnsTtlSeconds: 300, rtoSeconds: 900 },
      'dnsTtlSeconds',
    ],
    ['sites that cannot be checked from outside', { dnsCheckerCidrs: [] }, 'dnsCheckerCidrs'],
  ])('refuses %s', (_what, change, key) => {
    expect(problems(change).map((problem) => problem.key)).toEqual([key]);
  });

  it('says where weights belong, and leaves it to dedicated servers where they have them', () => {
    const modelsFolder = '/srv/models/tiny';
    expect(() => parse({ ...AWS_SITE, modelsFolder }, files)).toThrow(
      'failover:modelsFolder: got "/srv/models/tiny"; allowed: a folder below /srv/failover on aws, where the data volume is: ' +
        'what lies elsewhere goes with the instance.',
    );
    expect(parse({ ...SITE, modelsFolder }, files)).toMatchObject({ settings: { modelsFolder } });
    expect(parse({ ...AWS_WITNESS, modelsFolder }, files)).toMatchObject({ platform: 'aws' });
  });

  it.each([
    [
      'a plan without its account',
      {
        cloudflarePlan: 'business',
        cloudflareAccountId: '',
        dnsCheckIntervalSeconds: 35,
        switchingMode: 'automatic',
      },
      'cloudflareAccountId',
    ],
    ['checks faster than the plan allows', { cloudflarePlan: 'business' }, 'dnsCheckIntervalSeconds'],
    ['records that nobody may move', { cloudflareTokenFile: '' }, 'cloudflareTokenFile'],
    ['no zone', { cloudflareZoneId: '' }, 'cloudflareZoneId'],
    ['a TTL that its records cannot have', { dnsTtlSeconds: 30 }, 'dnsTtlSeconds'],
    ['a token file that is not there', { cloudflareTokenFile: 'nowhere' }, 'cloudflareTokenFile'],
  ])('with Cloudflare refuses %s', (_what, change, key) => {
    expect(
      problems({ ...CLOUDFLARE, clientCidrs: ['0.0.0.0/0'], ...change }, SITE).map((problem) => problem.key),
    ).toEqual([key]);
  });

  it.each([
    ['with a witness on R2 and no account there', { ...R2, storeAccessKeyFile: '' }, ['storeAccessKeyFile']],
    ['with an account that nothing asks for', { storeSecretKeyFile: 'dns-token' }, ['storeSecretKeyFile']],
    ['with a nameserver on R2', { ...R2, dnsProvider: 'powerdns' }, ['dnsProvider']],
    ['with R2 in no account', { ...R2, cloudflareAccountId: '' }, ['cloudflareAccountId']],
  ])('refuses a dedicated site %s', (_what, change, keys) => {
    expect(problems(change, SITE).map(({ key }) => key)).toEqual(keys);
  });

  it('takes a witness on R2, which has neither server nor certificate', () => {
    const config = {
      ...WITNESS,
      ...R2,
      servers: [],
      storeAccessKeyFile: '',
      storeSecretKeyFile: '',
      sshPrivateKeyFile: '',
    };
    expect(parse({ ...config, tlsCertificateFile: '', tlsPrivateKeyFile: '' }, files)).toMatchObject({
      kind: 'witness',
      platform: 'cloudflare',
    });
  });

  it('reads the keys of what the agent calls, on sites only', () => {
    const config = { ...CLOUDFLARE, slackWebhookFile: 'slack' };
    expect(parse({ ...SITE, ...config }, files).files.outward).toEqual({
      'dns-token': 'hush',
      'alert-slack-webhook': 'https://hooks.slack.test/services/T/B/x',
    });
    expect(parse({ ...WITNESS, ...config }, files).files.outward).toEqual({});
  });

  it('names the types that hold the model', () => {
    expect(problems({ modelGib: 30 })[0]?.allowed).toMatch(
      /hold 30 GiB of weights and a cache: g6e\.xlarge, /,
    );
  });
});

describe('the cost', () => {
  const monthlyCostsUsd = { 'uk-primary': 900, 'eu-standby': 850, witness: 20 };

  it('is compared with one region', () => {
    expect(parse({ ...AWS_SITE, monthlyCostsUsd }, files).cost).toEqual({
      monthlyUsd: monthlyCostsUsd,
      oneRegionMonthlyUsd: 900,
      totalMonthlyUsd: 1770,
      factor: 1.97,
      maximumFactor: 2,
    });
  });

  it('is refused above the limit, with the sum written out, unless more is wanted', () => {
    const expensive = { monthlyCostsUsd: { ...monthlyCostsUsd, 'eu-standby': 1200 } };
    expect(problems(expensive)).toEqual([
      {
        key: 'maxCostPercent',
        got: 200,
        allowed:
          'at least 236: 900 (uk-primary) + 1200 (eu-standby) + 20 (witness) = 2120 US dollars a month, 2.36 times one region',
        fix: 'Make the standby smaller, or say that so much is wanted.',
      },
    ]);
    expect(parse({ ...AWS_SITE, ...expensive, maxCostPercent: 240 }, files).cost?.factor).toBe(2.36);
  });

  it.each([
    ['leaves a site out', { 'uk-primary': 900, witness: 20 }],
    ['names a site that there is not', { ...monthlyCostsUsd, 'us-spare': 1 }],
    ['makes the primary free', { ...monthlyCostsUsd, 'uk-primary': 0 }],
  ])('is refused when it %s', (_what, costs) => {
    expect(problems({ monthlyCostsUsd: costs }).map(({ key }) => key)).toEqual(['monthlyCostsUsd']);
  });

  it('is not said when nothing is known', () => {
    expect(parse({ ...AWS_SITE }, files).cost).toBeNull();
  });
});
