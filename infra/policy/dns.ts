import { type Finding, resourceRule } from './rule';
import { at, isMissing, tell, UNKNOWN, type Value } from './values';

const MAX_TTL_SECONDS = 60;
/** Cloudflare's "automatic", which is five minutes unless Cloudflare itself is what clients reach. */
const CLOUDFLARE_AUTOMATIC = 1;
const ADDRESS_TYPES: readonly Value[] = ['A', 'AAAA', 'CNAME', UNKNOWN];

const ROUTE53_RECORD = 'aws:route53/record:Record';
const CLOUDFLARE_RECORD = 'cloudflare:index/dnsRecord:DnsRecord';
const CLOUDFLARE_OLD_RECORD = 'cloudflare:index/record:Record';
const CLOUDFLARE_BALANCER = 'cloudflare:index/loadBalancer:LoadBalancer';
const CLOUDFLARE_POOL = 'cloudflare:index/loadBalancerPool:LoadBalancerPool';

function tooLong(found: string): Finding[] {
  return [
    {
      found,
      expected: `a ttl of ${MAX_TTL_SECONDS} seconds or less: clients hold on to a lost site for that long`,
      remedy: `Set ttl to ${MAX_TTL_SECONDS} or less (dnsTtlSeconds in the stack's configuration)`,
    },
  ];
}

/** Of what Cloudflare proxies, clients see addresses that never change. */
function cloudflareTtl(
  { ttl, proxied }: { readonly [key: string]: Value },
  automaticIsShort: boolean,
): Finding[] {
  if (proxied === true || proxied === UNKNOWN || ttl === UNKNOWN) return [];
  const automatic = isMissing(ttl) || ttl === CLOUDFLARE_AUTOMATIC;
  if (automatic) return automaticIsShort ? [] : tooLong('an automatic ttl, which is 300 seconds');
  return Number(ttl) > MAX_TTL_SECONDS ? tooLong(`ttl ${tell(ttl)}`) : [];
}

export const dnsRules = [
  resourceRule({
    name: 'failover-ttl',
    description: `Names that fail over are kept by resolvers for ${MAX_TTL_SECONDS} seconds at most.`,
    types: [ROUTE53_RECORD, CLOUDFLARE_RECORD, CLOUDFLARE_OLD_RECORD, CLOUDFLARE_BALANCER],
    check: ({ type, props }) => {
      // A balancer that is told nothing takes 30 seconds.
      if (type === CLOUDFLARE_BALANCER) return cloudflareTtl(props, true);
      if (type !== ROUTE53_RECORD)
        return ADDRESS_TYPES.includes(props['type']) ? cloudflareTtl(props, false) : [];
      const { ttl, failoverRoutingPolicies, aliases } = props;
      // An alias has its target's ttl, which Route 53 keeps at 60 seconds or less.
      if (isMissing(failoverRoutingPolicies) || !isMissing(aliases) || ttl === UNKNOWN) return [];
      return isMissing(ttl) || Number(ttl) > MAX_TTL_SECONDS ? tooLong(`ttl ${tell(ttl)}`) : [];
    },
  }),
  resourceRule({
    name: 'failover-health-check',
    description: 'Whatever fails over by DNS is watched by a health check.',
    types: [ROUTE53_RECORD, CLOUDFLARE_POOL],
    check: ({ type, props }) => {
      const [property, what] =
        type === CLOUDFLARE_POOL
          ? ['monitor', 'a load balancing pool']
          : ['healthCheckId', 'a failover record'];
      if (type === ROUTE53_RECORD && isMissing(props['failoverRoutingPolicies'])) return [];
      if (!isMissing(at(props, property))) return [];
      return [
        {
          found: `${what} without ${property}`,
          expected:
            'a health check: without one it counts as healthy for ever, and traffic stays with a lost site',
          remedy: `Set ${property} to a check of the site's /readyz`,
        },
      ];
    },
  }),
];
