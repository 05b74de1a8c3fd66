import * as cloudflare from '@pulumi/cloudflare';
import * as pulumi from '@pulumi/pulumi';
import { checkMonitor, type CheckRegion, type CloudflarePlan } from './monitor-rules';
import { checkSites, type CloudflareSite, siteRecords } from './site';

export interface CloudflareFailoverArgs {
  readonly accountId: pulumi.Input<string>;
  readonly zoneId: pulumi.Input<string>;
  /** First part of the pools' names, which are unique in the account. */
  readonly prefix: string;
  /** Name that fails over, such as `api.example.com`. */
  readonly serviceHost: string;
  /** In order of preference; the first is answered also when none is ready. */
  readonly sites: readonly CloudflareSite[];
  /** Bounds `checkIntervalSeconds`. */
  readonly plan: CloudflarePlan;
  /** At least 60 (pro), 15 (business) or 10 (enterprise). */
  readonly checkIntervalSeconds: number;
  /** Failures in a row that make a site unready, and answers in a row that make it ready. */
  readonly failureThreshold: number;
  /** @default failureThreshold */
  readonly recoveryThreshold?: number;
  /** Of one check; less than the interval. @default 5 */
  readonly checkTimeoutSeconds?: number;
  /** Text that the body of `/readyz` has when, and only when, the site is ready; letter case does not count. */
  readonly searchString: string;
  /** @default WEU, EEU and ENAM: a majority of three, so that one region's own trouble decides nothing */
  readonly checkRegions?: readonly CheckRegion[];
  /** Of the answers when not proxied; a proxied name has Cloudflare's own. At most 60. */
  readonly ttlSeconds: number;
  /**
   * True: requests go through Cloudflare, which takes TLS apart, gives up on an origin that is silent for 100 seconds
   * and switches without waiting for any TTL. @default false
   */
  readonly proxied?: boolean;
}

const DEFAULT_REGIONS: readonly CheckRegion[] = ['WEU', 'EEU', 'ENAM'];
const DEFAULT_TIMEOUT_SECONDS = 5;

/**
 * A load balancer that answers with the first ready site: one pool and one monitor for each, asked for `/readyz` by its
 * own name. A failover calls nothing of this: monitors and answers are Cloudflare's data plane.
 */
export class CloudflareFailover extends pulumi.ComponentResource {
  readonly loadBalancerId: pulumi.Output<string>;
  /** In the order of `sites`; notifications are about them. */
  readonly poolIds: readonly pulumi.Output<string>[];

  constructor(name: string, args: CloudflareFailoverArgs, opts?: pulumi.ComponentResourceOptions) {
    const settings = normalise(args);
    super('failover:cloudflare:Failover', name, {}, opts);
    const { zoneId, serviceHost, sites, proxied } = settings;
    const child = { parent: this };
    this.poolIds = sites.map((site) => this.pool(name, settings, site));
    const [first] = this.poolIds;
    if (first === undefined) throw new TypeError('checked: there are sites');
    const balancer = new cloudflare.LoadBalancer(
      `${name}-balancer`,
      {
        zoneId,
        name: serviceHost,
        description: 'Answers with the first ready site',
        defaultPools: [...this.poolIds],
        // Answered when no pool is healthy, whatever its own health: better an edge that says so than an empty answer.
        fallbackPool: first,
        // In the order of the pools, always the first healthy one.
        steeringPolicy: 'off',
        sessionAffinity: 'none',
        proxied,
        ...(proxied ? {} : { ttl: settings.ttlSeconds }),
        enabled: true,
      },
      child,
    );
    siteRecords(name, zoneId, sites, this);
    this.loadBalancerId = balancer.id;
    this.registerOutputs({ loadBalancerId: this.loadBalancerId, poolIds: this.poolIds });
  }

  private pool(name: string, args: Settings, { site, siteHost, addresses }: CloudflareSite) {
    const { accountId } = args;
    const child = { parent: this };
    const monitor = new cloudflare.LoadBalancerMonitor(
      `${name}-${site}-monitor`,
      {
        accountId,
        description: `${siteHost} ready`,
        type: 'https',
        method: 'GET',
        path: '/readyz',
        header: { Host: [siteHost] },
        expectedCodes: '200',
        expectedBody: args.searchString,
        interval: args.checkIntervalSeconds,
        timeout: args.checkTimeoutSeconds,
        // A retry is at once and hides what the consecutive counts are for.
        retries: 0,
        consecutiveDown: args.failureThreshold,
        consecutiveUp: args.recoveryThreshold,
        followRedirects: false,
        allowInsecure: false,
      },
      child,
    );
    const pool = new cloudflare.LoadBalancerPool(
      `${name}-${site}-pool`,
      {
        accountId,
        name: `${args.prefix}-${site}`,
        description: `Servers of ${site}`,
        monitor: monitor.id,
        checkRegions: [...args.checkRegions],
        minimumOrigins: 1,
        enabled: true,
        origins: addresses.map((address, index) => ({
          name: `${site}-${index + 1}`,
          address,
          enabled: true,
          weight: 1,
        })),
      },
      child,
    );
    return pool.id;
  }
}

type Settings = Required<CloudflareFailoverArgs>;

function normalise(args: CloudflareFailoverArgs): Settings {
  const settings: Settings = {
    ...args,
    recoveryThreshold: args.recoveryThreshold ?? args.failureThreshold,
    checkTimeoutSeconds: args.checkTimeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS,
    checkRegions: args.checkRegions ?? DEFAULT_REGIONS,
    proxied: args.proxied ?? false,
  };
  checkSites(settings.serviceHost, settings.sites);
  checkMonitor(settings);
  return settings;
}
