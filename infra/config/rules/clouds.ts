import { posix } from 'node:path';
import { DATA_FOLDER } from '../../aws/user-data';
import { gpuTypesFor, isGpuType } from '../../aws-gpus';
import { cloudflareDetectionSeconds } from '../../cloudflare-plans';
import { siteRegionsOf } from '../names';
import type { FlatConfig } from '../schema';
import { duplicates, none, onlyOn, required, type Rule, when } from './rule';

const onAws = ({ witnessPlatform, sites }: Pick<FlatConfig, 'witnessPlatform' | 'sites'>): boolean =>
  witnessPlatform === 'aws' || sites.some(({ platform }) => platform === 'aws');

/** Rules on which part of the world is on AWS, and where. */
const placementRules: readonly Rule[] = [
  {
    reads: ['sites', 'witnessPlatform'],
    check: ({ sites, witnessPlatform }) =>
      when(witnessPlatform !== 'aws' && sites.some(({ platform }) => platform === 'aws'), {
        key: 'witnessPlatform',
        got: witnessPlatform,
        allowed: "aws, because a site is: its servers read their secrets where the witness's stack puts them",
      }),
  },
  {
    reads: ['sites'],
    check: ({ sites }) =>
      sites.flatMap(({ site, platform, region }) =>
        when((platform === 'aws') !== (region !== ''), {
          key: 'sites',
          got: { site, platform, region },
          allowed: 'a region for a site on aws, such as eu-west-2, and none for one on dedicated servers',
        }),
      ),
  },
  {
    reads: ['sites'],
    check: (config) => {
      const twice = duplicates(siteRegionsOf(config));
      return when(twice.length > 0, {
        key: 'sites',
        got: twice,
        allowed: 'two regions: sites in one region are lost together',
      });
    },
  },
  {
    reads: ['sites', 'witnessPlatform', 'witnessRegion'],
    check: ({ sites, witnessPlatform, witnessRegion }) =>
      when(
        witnessPlatform === 'aws' &&
          (witnessRegion === '' || sites.some(({ region }) => region === witnessRegion)),
        {
          key: 'witnessRegion',
          got: witnessRegion,
          allowed: "a third region, such as eu-west-1: the lease must outlive either site's",
        },
      ),
  },
  {
    reads: ['awsLogRetentionDays', 'awsLogLockDays'],
    check: ({ awsLogRetentionDays, awsLogLockDays }) =>
      when(awsLogLockDays > awsLogRetentionDays, {
        key: 'awsLogLockDays',
        got: awsLogLockDays,
        allowed: `at most awsLogRetentionDays (${awsLogRetentionDays})`,
      }),
  },
  {
    reads: ['sites', 'witnessPlatform', 'awsNamePrefix'],
    check: (config) =>
      when(onAws(config) && config.awsNamePrefix === '', {
        key: 'awsNamePrefix',
        got: '',
        allowed: 'the first part of all names, such as acme-failover; names of buckets are global',
      }),
  },
];

/** Rules on a witness that is R2 buckets. */
const cloudflareWitnessRules: readonly Rule[] = [
  {
    reads: ['witnessPlatform', 'cloudflareAccountId'],
    check: ({ witnessPlatform, cloudflareAccountId }) =>
      when(witnessPlatform === 'cloudflare' && cloudflareAccountId === '', {
        key: 'cloudflareAccountId',
        got: '',
        allowed: 'the account that has the R2 buckets, because witnessPlatform is cloudflare',
      }),
  },
  ...(['storeAccessKeyFile', 'storeSecretKeyFile'] as const).map((key): Rule => ({
    kind: 'site',
    reads: ['witnessPlatform', key],
    check: (config) =>
      when((config.witnessPlatform === 'cloudflare') !== (config[key] !== ''), {
        key,
        got: config[key],
        allowed:
          'a file with this site\'s R2 key when witnessPlatform is cloudflare, and "" otherwise, where the witness makes accounts',
      }),
  })),
];

/** Rules on stacks that AWS hosts. */
const stackRules: readonly Rule[] = onlyOn('aws', [
  required(
    'awsAmi',
    "a machine image of the site's region with NVIDIA's driver and container toolkit",
    'site',
  ),
  {
    kind: 'site',
    reads: ['inferenceRuntime'],
    check: ({ inferenceRuntime }) =>
      when(inferenceRuntime !== 'container', {
        key: 'inferenceRuntime',
        got: inferenceRuntime,
        allowed: 'container on aws',
      }),
  },
  {
    kind: 'site',
    reads: ['modelsFolder'],
    check: ({ modelsFolder }) =>
      when(modelsFolder !== '' && !posix.resolve(modelsFolder).startsWith(`${DATA_FOLDER}/`), {
        key: 'modelsFolder',
        got: modelsFolder,
        allowed: `a folder below ${DATA_FOLDER} on aws, where the data volume is: what lies elsewhere goes with the instance`,
      }),
  },
  {
    kind: 'site',
    reads: ['awsInstanceType', 'modelGib'],
    check: ({ awsInstanceType, modelGib }) =>
      when(isGpuType(awsInstanceType) && !gpuTypesFor(modelGib).includes(awsInstanceType), {
        key: 'awsInstanceType',
        got: awsInstanceType,
        allowed: `a type whose GPUs hold ${modelGib} GiB of weights and a cache: ${gpuTypesFor(modelGib).join(', ')}`,
      }),
  },
  {
    kind: 'site',
    reads: ['servers'],
    check: ({ servers }) =>
      when(servers.length > 0, {
        key: 'servers',
        got: servers.map(({ name }) => name),
        allowed: "[] on aws, where the stack makes the site's servers: one for each of its addresses",
      }),
  },
]);

/** Rules on who answers for the service's name. */
const dnsRules: readonly Rule[] = [
  {
    reads: ['dnsProvider', 'witnessPlatform'],
    check: ({ dnsProvider, witnessPlatform }) =>
      when(dnsProvider === 'powerdns' && witnessPlatform !== 'dedicated', {
        key: 'dnsProvider',
        got: dnsProvider,
        allowed: `route53 or cloudflare, because the witness is on ${witnessPlatform} and has no server of its own`,
      }),
  },
  {
    reads: ['dnsProvider', 'tlsMode'],
    check: ({ dnsProvider, tlsMode }) =>
      when(dnsProvider !== 'powerdns' && tlsMode === 'acme', {
        key: 'tlsMode',
        got: tlsMode,
        allowed: `files with dnsProvider ${dnsProvider}: ACME's DNS challenge is built for powerdns`,
      }),
  },
  {
    reads: ['dnsProvider', 'dnsTtlSeconds'],
    check: ({ dnsTtlSeconds }) =>
      when(dnsTtlSeconds > 60, {
        key: 'dnsTtlSeconds',
        got: dnsTtlSeconds,
        allowed: 'at most 60: clients hold on to a lost site for so long',
      }),
  },
  {
    reads: ['dnsProvider', 'dnsCheckIntervalSeconds'],
    check: ({ dnsProvider, dnsCheckIntervalSeconds }) =>
      when(dnsProvider === 'route53' && ![30, 90].includes(dnsCheckIntervalSeconds), {
        key: 'dnsCheckIntervalSeconds',
        got: dnsCheckIntervalSeconds,
        allowed: '30 or 90 with route53, which asks every 10 or 30 s and believes the third answer',
      }),
  },
  {
    reads: [
      'dnsProvider',
      'cloudflareZoneId',
      'cloudflarePlan',
      'cloudflareAccountId',
      'cloudflareTokenFile',
    ],
    check: (config) => {
      if (config.dnsProvider !== 'cloudflare') return none;
      const needed =
        config.cloudflarePlan === 'none'
          ? (['cloudflareZoneId', 'cloudflareTokenFile'] as const)
          : (['cloudflareZoneId', 'cloudflareAccountId'] as const);
      return needed.flatMap((key) =>
        when(config[key] === '', {
          key,
          got: '',
          allowed: `a value, because dnsProvider is cloudflare with cloudflarePlan ${config.cloudflarePlan}`,
        }),
      );
    },
  },
  {
    reads: ['dnsProvider', 'cloudflarePlan', 'dnsCheckIntervalSeconds'],
    check: ({ dnsProvider, cloudflarePlan, dnsCheckIntervalSeconds }) => {
      if (dnsProvider !== 'cloudflare' || cloudflarePlan === 'none') return none;
      const least = cloudflareDetectionSeconds(cloudflarePlan);
      return when(dnsCheckIntervalSeconds < least, {
        key: 'dnsCheckIntervalSeconds',
        got: dnsCheckIntervalSeconds,
        allowed: `at least ${least}: so long does plan ${cloudflarePlan} take to see that a site changed`,
      });
    },
  },
  {
    reads: ['dnsProvider', 'cloudflarePlan', 'dnsTtlSeconds'],
    check: ({ dnsProvider, cloudflarePlan, dnsTtlSeconds }) =>
      when(dnsProvider === 'cloudflare' && cloudflarePlan === 'none' && dnsTtlSeconds !== 60, {
        key: 'dnsTtlSeconds',
        got: dnsTtlSeconds,
        allowed: "60, the least that Cloudflare's records may have",
      }),
  },
  {
    reads: ['dnsProvider', 'clientCidrs', 'dnsCheckerCidrs', 'cloudflarePlan'],
    check: ({ dnsProvider, clientCidrs, dnsCheckerCidrs, cloudflarePlan }) =>
      when(
        (dnsProvider === 'route53' || (dnsProvider === 'cloudflare' && cloudflarePlan !== 'none')) &&
          !clientCidrs.includes('0.0.0.0/0') &&
          dnsCheckerCidrs.length === 0,
        {
          key: 'dnsCheckerCidrs',
          got: dnsCheckerCidrs,
          allowed: `the networks from which ${dnsProvider} checks the sites, because clientCidrs leaves them out`,
        },
      ),
  },
];

export const cloudRules: readonly Rule[] = [
  ...placementRules,
  ...cloudflareWitnessRules,
  ...stackRules,
  ...dnsRules,
];
