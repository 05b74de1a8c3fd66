/**
 * Notification policies and the webhooks that they call.
 *
 * Shapes: `alerting/v3` of Cloudflare's published OpenAPI description, as its generated clients have them (cloudflare-go
 * `alerting/{policy,destinationwebhook}.go`): making or changing one answers its id alone, and a webhook's secret is
 * answered by nothing. Filters of the two kinds of alert: the same API as IBM resells it, documented with examples
 * (ibm-cloud-docs/cis, "Configuring alert policies"). No public text has its codes: {@link UNPUBLISHED} stands for them.
 */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { checked, Refusal, Shelf } from './refusal';
import { param, type ApiRequest, type Route } from './route';

/** The least code that the API's description allows. */
const UNPUBLISHED = 1000;

const POOLS = z.array(z.string().regex(/^[0-9a-f]{32}$/, 'is not the id of a pool')).min(1);
const FILTERS = {
  load_balancing_health_alert: z.strictObject({
    pool_id: POOLS.optional(),
    new_health: z.array(z.enum(['Healthy', 'Unhealthy'])).optional(),
    event_source: z.array(z.enum(['pool', 'origin'])).optional(),
  }),
  load_balancing_pool_enablement_alert: z.strictObject({
    pool_id: POOLS.optional(),
    enabled: z.array(z.enum(['true', 'false'])).optional(),
  }),
};

const PolicyBody = z.strictObject({
  name: z.string().min(1),
  alert_type: z.enum(['load_balancing_health_alert', 'load_balancing_pool_enablement_alert']),
  enabled: z.boolean(),
  mechanisms: z.strictObject({
    email: z.array(z.strictObject({ id: z.email() })).optional(),
    webhooks: z.array(z.strictObject({ id: z.uuid() })).optional(),
    pagerduty: z.array(z.strictObject({ id: z.uuid() })).optional(),
  }),
  description: z.string().optional(),
  filters: z.unknown().optional(),
});
const WebhookBody = z.strictObject({
  name: z.string().min(1),
  url: z.url(),
  secret: z.string().optional(),
});

type Policy = z.output<typeof PolicyBody> & {
  readonly id: string;
  readonly created: string;
  readonly modified: string;
};
type Webhook = z.output<typeof WebhookBody> & { readonly id: string; readonly created_at: string };

/** Told by the address, as the documentation of notifications lists them. */
const KINDS: readonly (readonly [string, RegExp])[] = [
  ['slack', /^hooks\.slack\.com$/],
  ['gchat', /^chat\.googleapis\.com$/],
  ['opsgenie', /(^|\.)opsgenie\.com$/],
  ['discord', /^discord(app)?\.com$/],
];
const kindOf = (url: string): string =>
  KINDS.find(([, host]) => host.test(new URL(url).hostname))?.[0] ?? 'generic';

const missing = (): Refusal => new Refusal(404, UNPUBLISHED, 'not found');

export class Alerting {
  readonly policies = new Shelf<Policy>(missing);
  readonly webhooks = new Shelf<Webhook>(missing);

  routes(): readonly Route[] {
    const policies = '/accounts/:account/alerting/v3/policies';
    const webhooks = '/accounts/:account/alerting/v3/destinations/webhooks';
    return [
      ...destinationRoutes(policies, this.policies, (asked, before) => this.policy(asked, before)),
      ...destinationRoutes(webhooks, this.webhooks, (asked, before) => this.webhook(asked, before), shown),
    ];
  }

  private policy({ body }: ApiRequest, before: Policy | undefined): Policy {
    const given = checked(PolicyBody, body, UNPUBLISHED);
    checked(FILTERS[given.alert_type], given.filters, UNPUBLISHED);
    const { email = [], webhooks = [], pagerduty = [] } = given.mechanisms;
    if (email.length + webhooks.length + pagerduty.length === 0)
      throw new Refusal(400, UNPUBLISHED, 'mechanisms: at least one is required');
    for (const { id } of webhooks)
      if (!this.webhooks.has(id)) throw new Refusal(400, UNPUBLISHED, `webhook ${id} does not exist`);
    const now = new Date().toISOString();
    return { ...given, id: before?.id ?? randomUUID(), created: before?.created ?? now, modified: now };
  }

  private webhook({ body }: ApiRequest, before: Webhook | undefined): Webhook {
    const given = checked(WebhookBody, body, UNPUBLISHED);
    return {
      ...given,
      id: before?.id ?? randomUUID(),
      created_at: before?.created_at ?? new Date().toISOString(),
    };
  }
}

function shown({ id, name, url, created_at }: Webhook): object {
  return { id, name, url, type: kindOf(url), created_at, last_success: null, last_failure: null };
}

function destinationRoutes<T extends { readonly id: string }>(
  path: string,
  shelf: Shelf<T>,
  keep: (asked: ApiRequest, before: T | undefined) => T,
  show: (item: T) => object = (item) => item,
): readonly Route[] {
  const one = `${path}/:id`;
  const found = (asked: ApiRequest): T => shelf.find(param(asked, 'id'));
  return [
    { method: 'GET', path, answer: () => shelf.all().map(show) },
    { method: 'POST', path, answer: (asked) => ({ id: shelf.put(keep(asked, undefined)).id }) },
    { method: 'GET', path: one, answer: (asked) => show(found(asked)) },
    { method: 'PUT', path: one, answer: (asked) => ({ id: shelf.put(keep(asked, found(asked))).id }) },
    {
      method: 'DELETE',
      path: one,
      answer: (asked) => {
        shelf.take(param(asked, 'id'));
        return [];
      },
    },
  ];
}
