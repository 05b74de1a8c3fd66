import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import { checkAddresses } from '../failover-dns';
import { type CheckerRegion, checkSiteRecord } from './route53-rules';

export interface Route53SiteRecordArgs {
  readonly zoneId: pulumi.Input<string>;
  /** Name that fails over, such as `api.example.com`; both sites' stacks declare a record of it. */
  readonly serviceHost: string;
  /** Such as `uk-primary`; tells the two records of `serviceHost` apart. */
  readonly site: string;
  /** Name of this site alone, such as `uk.example.com`; Route 53 checks the site by it. */
  readonly siteHost: string;
  /** PRIMARY is answered while its check passes, and also when no check passes. */
  readonly role: 'PRIMARY' | 'SECONDARY';
  /** IPv4, of every server of the site: a check by name looks up A records only. They may be known late. */
  readonly addresses: pulumi.Input<readonly string[]>;
  /** Of all records; at most 60. */
  readonly ttlSeconds: number;
  /** Between two requests of one checker. 10 costs more. */
  readonly requestIntervalSeconds: 10 | 30;
  /** Answers in a row that change a checker's mind, in either direction; 1 to 10. */
  readonly failureThreshold: number;
  /**
   * Text that the body of `/readyz` has when, and only when, the site is ready: `"ready":true`. Route 53 looks for it in
   * the first 5,120 bytes.
   */
  readonly searchString: string;
  /** Three or more of Route 53's eight; the site counts as ready while more than 18 % of the checkers say so. */
  readonly checkerRegions: readonly CheckerRegion[];
  /** SNS topic in us-east-1. */
  readonly alarmTopicArn: pulumi.Input<string>;
}

/** Route 53 hands its metrics to CloudWatch here and nowhere else. */
export const ROUTE53_METRICS_REGION = 'us-east-1';
const READY_PATH = '/readyz';
const HTTPS_PORT = 443;
const ALARM_PERIOD_SECONDS = 60;

/**
 * One site's half of the failover: a health check of its readiness, its record of the service's name, its own name and an
 * alarm. Each site's stack declares its own, so that losing one stack's state says nothing about the other.
 *
 * A failover calls nothing of this: checkers and nameservers are Route 53's data plane. Never disable or invert the
 * check to move traffic, since a disabled one counts as healthy: `failover switch` moves the lease, and DNS follows.
 */
export class Route53SiteRecord extends pulumi.ComponentResource {
  readonly healthCheckId: pulumi.Output<string>;
  readonly alarmArn: pulumi.Output<string>;

  constructor(name: string, args: Route53SiteRecordArgs, opts?: pulumi.ComponentResourceOptions) {
    checkSiteRecord(args);
    const addresses = pulumi.output(args.addresses).apply((known) => checkAddresses(args.site, known));
    super('failover:aws:Route53SiteRecord', name, {}, opts);
    const { zoneId, site, ttlSeconds } = args;
    const child = { parent: this };
    const check = new aws.route53.HealthCheck(
      `${name}-check`,
      {
        type: 'HTTPS_STR_MATCH',
        // By name and without an address: Route 53 asks DNS for it before every request.
        fqdn: args.siteHost,
        port: HTTPS_PORT,
        resourcePath: READY_PATH,
        searchString: args.searchString,
        // The edge has certificates by name; for this type of check the default is off.
        enableSni: true,
        requestInterval: args.requestIntervalSeconds,
        failureThreshold: args.failureThreshold,
        regions: [...args.checkerRegions],
        disabled: false,
        invertHealthcheck: false,
        tags: { Name: `${args.siteHost} ready` },
      },
      child,
    );
    const record = { zoneId, type: 'A', ttl: ttlSeconds, records: addresses };
    new aws.route53.Record(`${name}-site`, { ...record, name: args.siteHost }, child);
    new aws.route53.Record(
      `${name}-service`,
      {
        ...record,
        name: args.serviceHost,
        setIdentifier: site,
        failoverRoutingPolicies: [{ type: args.role }],
        healthCheckId: check.id,
      },
      child,
    );
    const alarm = new aws.cloudwatch.MetricAlarm(`${name}-alarm`, alarmOf(args, check.id), child);
    this.healthCheckId = check.id;
    this.alarmArn = alarm.arn;
    this.registerOutputs({ healthCheckId: this.healthCheckId, alarmArn: this.alarmArn });
  }
}

/**
 * Only the holder is ready, so that a standby's check fails all the time: the primary's alarm fires when it stops being
 * ready, the standby's when it starts. Both say the same thing of a failover, one of them when the other cannot.
 */
function alarmOf(args: Route53SiteRecordArgs, healthCheckId: pulumi.Input<string>) {
  const primary = args.role === 'PRIMARY';
  const meaning = primary
    ? `${args.site} is not ready: a failover, or nobody serves ${args.serviceHost}`
    : `${args.site} serves ${args.serviceHost} in place of the primary, or is not watched`;
  return {
    region: ROUTE53_METRICS_REGION,
    alarmDescription: `${meaning}. See \`failover status\`.`,
    namespace: 'AWS/Route53',
    metricName: 'HealthCheckStatus',
    dimensions: { HealthCheckId: healthCheckId },
    statistic: primary ? 'Minimum' : 'Maximum',
    comparisonOperator: primary ? 'LessThanThreshold' : 'GreaterThanOrEqualToThreshold',
    threshold: 1,
    period: ALARM_PERIOD_SECONDS,
    evaluationPeriods: 1,
    // No news is bad news: an alarm that nothing feeds would stay quiet for ever.
    treatMissingData: 'breaching',
    alarmActions: [args.alarmTopicArn],
    okActions: [args.alarmTopicArn],
  };
}
