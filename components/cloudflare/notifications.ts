import * as cloudflare from '@pulumi/cloudflare';
import * as pulumi from '@pulumi/pulumi';
import { DnsArgumentError } from '../failover-dns';

export interface CloudflareWebhook {
  readonly name: string;
  /** Slack's, PagerDuty's, Opsgenie's and generic addresses are told apart by Cloudflare. */
  readonly url: pulumi.Input<string>;
  /** Sent as the header `cf-webhook-auth`. */
  readonly secret?: pulumi.Input<string>;
}

export interface CloudflareNotificationsArgs {
  readonly accountId: pulumi.Input<string>;
  /** First part of the policies' names. */
  readonly prefix: string;
  /** The pools of a {@link CloudflareFailover}. */
  readonly poolIds: readonly pulumi.Input<string>[];
  readonly emails: readonly string[];
  /** From a Pro plan on. */
  readonly webhooks: readonly CloudflareWebhook[];
  /** Ids of PagerDuty services that were connected in the dashboard, from a Business plan on. @default none */
  readonly pagerDutyIds?: readonly pulumi.Input<string>[];
}

/** Tells people when Cloudflare sees a site become ready or unready, and when somebody turns a pool off or on. */
export class CloudflareNotifications extends pulumi.ComponentResource {
  constructor(name: string, args: CloudflareNotificationsArgs, opts?: pulumi.ComponentResourceOptions) {
    const { accountId, prefix, emails, webhooks, pagerDutyIds = [] } = args;
    if (emails.length + webhooks.length + pagerDutyIds.length === 0)
      throw new DnsArgumentError('emails', [], 'at least one of emails, webhooks and pagerDutyIds');
    super('failover:cloudflare:Notifications', name, {}, opts);
    const child = { parent: this };
    const webhookIds = webhooks.map((webhook) => {
      const { id } = new cloudflare.NotificationPolicyWebhooks(
        `${name}-${webhook.name}`,
        {
          accountId,
          name: `${prefix}-${webhook.name}`,
          url: pulumi.secret(webhook.url),
          ...(webhook.secret === undefined ? {} : { secret: pulumi.secret(webhook.secret) }),
        },
        child,
      );
      return id;
    });
    const asIds = (ids: readonly pulumi.Input<string>[]) => ids.map((id) => ({ id }));
    const mechanisms = {
      ...(emails.length === 0 ? {} : { emails: asIds(emails) }),
      ...(webhookIds.length === 0 ? {} : { webhooks: asIds(webhookIds) }),
      ...(pagerDutyIds.length === 0 ? {} : { pagerduties: asIds(pagerDutyIds) }),
    };
    const common = { accountId, enabled: true, mechanisms };
    const poolIds = [...args.poolIds];
    new cloudflare.NotificationPolicy(
      `${name}-health`,
      {
        ...common,
        name: `${prefix} site readiness`,
        description: 'A site became ready or unready; only the holder of the lease is ready',
        alertType: 'load_balancing_health_alert',
        filters: { poolIds, newHealths: ['Unhealthy', 'Healthy'], eventSources: ['pool'] },
      },
      child,
    );
    new cloudflare.NotificationPolicy(
      `${name}-toggle`,
      {
        ...common,
        name: `${prefix} pool switched by hand`,
        description: 'Somebody turned a pool on or off: a site is kept out of answers, or forced into them',
        alertType: 'load_balancing_pool_enablement_alert',
        filters: { poolIds, enableds: ['true', 'false'] },
      },
      child,
    );
    this.registerOutputs();
  }
}
