import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import { ROUTE53_METRICS_REGION } from './route53-site-record';

export interface AlertWebhook {
  /** Names the subscription; the address itself holds a key. */
  readonly name: string;
  /**
   * https:// address that speaks SNS's envelope and confirms a subscription by itself: the CloudWatch integrations of
   * PagerDuty and Opsgenie do. Slack's incoming webhooks do neither: use its CloudWatch app, or the agents' own alerts.
   */
  readonly url: pulumi.Input<string>;
}

export interface AlertsArgs {
  /** Of the topic; unique in the account. */
  readonly topicName: string;
  /** Whose alarms may publish. */
  readonly accountId: pulumi.Input<string>;
  /** Each gets a message with a link to confirm, and nothing until it has been followed. */
  readonly emails: readonly string[];
  readonly webhooks: readonly AlertWebhook[];
}

const KEY_DELETION_DAYS = 30;

/**
 * Where alarms go: a topic in us-east-1, since an alarm can only notify its own region and Route 53's metrics exist
 * there alone.
 *
 * Encrypted under a key of its own. CloudWatch publishes to an encrypted topic only where the key's policy lets it, which
 * the policy of AWS's own `alias/aws/sns` does not: with that one every notification would be dropped without a word.
 */
export class Alerts extends pulumi.ComponentResource {
  readonly topicArn: pulumi.Output<string>;

  constructor(name: string, args: AlertsArgs, opts?: pulumi.ComponentResourceOptions) {
    super('failover:aws:Alerts', name, {}, opts);
    const region = ROUTE53_METRICS_REGION;
    const child = { parent: this };
    const key = new aws.kms.Key(
      `${name}-key`,
      {
        region,
        description: `Messages of ${args.topicName}`,
        enableKeyRotation: true,
        deletionWindowInDays: KEY_DELETION_DAYS,
        policy: keyPolicy(args.accountId),
      },
      child,
    );
    const topic = new aws.sns.Topic(name, { region, name: args.topicName, kmsMasterKeyId: key.arn }, child);
    this.topicArn = topic.arn;
    const policy = new aws.sns.TopicPolicy(
      `${name}-policy`,
      { region, arn: topic.arn, policy: topicPolicy(topic.arn, args.accountId) },
      child,
    );
    const subscribed = { ...child, dependsOn: [policy] };
    for (const email of args.emails)
      new aws.sns.TopicSubscription(
        `${name}-${email}`,
        { region, topic: topic.arn, protocol: 'email', endpoint: email },
        subscribed,
      );
    for (const webhook of args.webhooks)
      new aws.sns.TopicSubscription(
        `${name}-${webhook.name}`,
        {
          region,
          topic: topic.arn,
          protocol: 'https',
          endpoint: pulumi.secret(webhook.url),
          endpointAutoConfirms: true,
          // Those who read CloudWatch's messages read them in SNS's envelope, signature and all.
          rawMessageDelivery: false,
        },
        subscribed,
      );
    this.registerOutputs({ topicArn: this.topicArn });
  }
}

/** Alarms of this account in the topic's region, and nobody else's: the service's name alone stands for every customer. */
function fromOwnAlarms(accountId: pulumi.Input<string>) {
  return {
    StringEquals: { 'aws:SourceAccount': accountId },
    ArnLike: {
      'aws:SourceArn': pulumi.interpolate`arn:aws:cloudwatch:${ROUTE53_METRICS_REGION}:${accountId}:alarm:*`,
    },
  };
}

const CLOUDWATCH = { Service: 'cloudwatch.amazonaws.com' };

function keyPolicy(accountId: pulumi.Input<string>): pulumi.Output<string> {
  return pulumi.jsonStringify({
    Version: '2012-10-17',
    Statement: [
      {
        Sid: 'AdministeredByIam',
        Effect: 'Allow',
        Principal: { AWS: pulumi.interpolate`arn:aws:iam::${accountId}:root` },
        Action: 'kms:*',
        Resource: '*',
      },
      {
        Sid: 'AlarmsPublish',
        Effect: 'Allow',
        Principal: CLOUDWATCH,
        Action: ['kms:Decrypt', 'kms:GenerateDataKey*'],
        Resource: '*',
        Condition: fromOwnAlarms(accountId),
      },
    ],
  });
}

function topicPolicy(topicArn: pulumi.Input<string>, accountId: pulumi.Input<string>): pulumi.Output<string> {
  return pulumi.jsonStringify({
    Version: '2012-10-17',
    Statement: [
      {
        Sid: 'AlarmsPublish',
        Effect: 'Allow',
        Principal: CLOUDWATCH,
        Action: 'sns:Publish',
        Resource: topicArn,
        Condition: fromOwnAlarms(accountId),
      },
      {
        Sid: 'TlsOnly',
        Effect: 'Deny',
        Principal: '*',
        Action: 'sns:Publish',
        Resource: topicArn,
        Condition: { Bool: { 'aws:SecureTransport': 'false' } },
      },
    ],
  });
}
