import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import { Alerts } from '../components/aws/alerts';
import { Route53Dns } from '../components/aws/route53-dns';
import { Route53SiteRecord } from '../components/aws/route53-site-record';
import { CloudflareDns } from '../components/cloudflare/dns';
import { CloudflareNotifications } from '../components/cloudflare/notifications';
import { FailoverDns } from '../components/failover-dns';
import {
  CLOUDFLARE_CHECK_SECONDS,
  CLOUDFLARE_THRESHOLD,
  CLOUDFLARE_TIMEOUT_SECONDS,
} from '../infra/cloudflare-plans';
import type { AnyWitnessConfig, AwsSiteConfig, SiteConfig } from '../infra/config';
import type { WitnessOutputs } from '../infra/contract/stack-outputs';
import type { AsInputs } from './outputs';
import type { WitnessFacts } from './witness-reference';

/** What the body of `/readyz` has when, and only when, the site is ready. */
const READY = '"ready":true';
/** Three of the eight regions from which Route 53 checks, as far apart as they are. */
const CHECKER_REGIONS = ['eu-west-1', 'us-east-1', 'ap-southeast-1'] as const;
/** Checkers believe the third answer; `dnsCheckIntervalSeconds` is three times the interval. */
const ROUTE53_THRESHOLD = 3;

interface DeclaredZone {
  readonly outputs: Pick<AsInputs<WitnessOutputs>, 'nameservers' | 'route53'>;
  readonly resources: readonly pulumi.Resource[];
}

/** The zone, as the witness's stack declares it where another answers for it. */
export async function declareZone(config: AnyWitnessConfig): Promise<DeclaredZone> {
  return config.settings.dnsProvider === 'route53' ? declareRoute53(config) : declareCloudflare(config);
}

async function declareRoute53({ settings }: AnyWitnessConfig): Promise<DeclaredZone> {
  const opts = { protect: settings.protectData };
  const provider = new Route53Dns({
    zone: settings.zone,
    comment: 'The service and its sites',
    ...(settings.route53ZoneId === '' ? {} : { zoneId: settings.route53ZoneId }),
  });
  const dns = new FailoverDns('dns', { provider }, opts);
  const { accountId } = await aws.getCallerIdentity({});
  const alerts = new Alerts(
    'alerts',
    {
      topicName: `${settings.zone.replaceAll('.', '-')}-failover`,
      accountId,
      emails: settings.alertEmails,
      webhooks: [],
    },
    opts,
  );
  return {
    outputs: {
      nameservers: nameserversOf(dns),
      route53: pulumi.output({ zoneId: provider.zoneId, alertTopicArn: alerts.topicArn }),
    },
    resources: [dns, alerts],
  };
}

function declareCloudflare({ settings }: AnyWitnessConfig): DeclaredZone {
  const opts = { protect: settings.protectData };
  const { cloudflarePlan: plan, cloudflareAccountId: accountId, cloudflareZoneId: zoneId } = settings;
  const common = {
    zoneId,
    serviceHost: settings.serviceHost,
    sites: settings.sites.map(({ site, host, addresses }) => ({ site, siteHost: host, addresses })),
    ttlSeconds: settings.dnsTtlSeconds,
  };
  if (plan === 'none') {
    const provider = new CloudflareDns({ mode: 'record', record: common });
    const dns = new FailoverDns('dns', { provider }, opts);
    return { outputs: { nameservers: nameserversOf(dns) }, resources: [dns] };
  }
  const prefix = settings.zone.replaceAll('.', '-');
  const provider = new CloudflareDns({
    mode: 'load-balancer',
    loadBalancer: {
      ...common,
      accountId,
      prefix,
      plan,
      checkIntervalSeconds: CLOUDFLARE_CHECK_SECONDS[plan],
      failureThreshold: CLOUDFLARE_THRESHOLD,
      checkTimeoutSeconds: CLOUDFLARE_TIMEOUT_SECONDS,
      searchString: READY,
    },
  });
  const dns = new FailoverDns('dns', { provider }, opts);
  if (settings.alertEmails.length > 0)
    new CloudflareNotifications('notifications', {
      accountId,
      prefix,
      poolIds: provider.loadBalancer?.poolIds ?? [],
      emails: settings.alertEmails,
      webhooks: [],
    });
  return { outputs: { nameservers: nameserversOf(dns) }, resources: [dns] };
}

const nameserversOf = (dns: FailoverDns<pulumi.Output<readonly string[]>>): pulumi.Output<string[]> =>
  dns.nameservers.apply((names) => [...names]);

/** What the site's own stack says of its name and of the service's. */
export function declareSiteRecord(
  { settings, own, peer }: SiteConfig | AwsSiteConfig,
  { route53 }: WitnessFacts,
): readonly pulumi.Resource[] {
  if (settings.dnsProvider !== 'route53') return [];
  if (route53 === undefined)
    throw new TypeError('a witness without a Route 53 zone should have been refused');
  const record = new Route53SiteRecord('dns', {
    zoneId: route53.zoneId,
    serviceHost: settings.serviceHost,
    site: own.site,
    siteHost: own.host,
    role: settings.sites[0]?.site === peer.site ? 'SECONDARY' : 'PRIMARY',
    addresses: own.addresses,
    ttlSeconds: settings.dnsTtlSeconds,
    requestIntervalSeconds: settings.dnsCheckIntervalSeconds === 30 ? 10 : 30,
    failureThreshold: ROUTE53_THRESHOLD,
    searchString: READY,
    checkerRegions: CHECKER_REGIONS,
    alarmTopicArn: route53.alertTopicArn,
  });
  return [record];
}
