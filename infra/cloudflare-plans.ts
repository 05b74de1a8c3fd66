/**
 * How fast Cloudflare's load balancer sees a site change.
 * @source Cloudflare's documentation of load balancing, "Monitors": shortest interval by plan, read in November 2026
 */
export type CloudflareLoadBalancerPlan = 'pro' | 'business' | 'enterprise';

/** Seconds between two checks; the least that the plan allows. */
export const CLOUDFLARE_CHECK_SECONDS: Readonly<Record<CloudflareLoadBalancerPlan, number>> = {
  pro: 60,
  business: 15,
  enterprise: 10,
};
/** Answers in a row that change its mind. */
export const CLOUDFLARE_THRESHOLD = 2;
export const CLOUDFLARE_TIMEOUT_SECONDS = 5;

/** Worst case from a site's change to the next answer. */
export const cloudflareDetectionSeconds = (plan: CloudflareLoadBalancerPlan): number =>
  CLOUDFLARE_CHECK_SECONDS[plan] * CLOUDFLARE_THRESHOLD + CLOUDFLARE_TIMEOUT_SECONDS;
