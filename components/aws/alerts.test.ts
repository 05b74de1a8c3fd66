import { named, record, Secret, valueOf } from '../testing/recording';
import { Alerts } from './alerts';

const URL = 'https://events.pagerduty.com/integration/hush/enqueue';
const declare = () =>
  record(
    () =>
      new Alerts('alerts', {
        topicName: 'acme-failover-alerts',
        accountId: '123456789012',
        emails: ['ops@example.com'],
        webhooks: [{ name: 'pagerduty', url: URL }],
      }),
  );
const OWN_ALARMS = {
  StringEquals: { 'aws:SourceAccount': '123456789012' },
  ArnLike: { 'aws:SourceArn': 'arn:aws:cloudwatch:us-east-1:123456789012:alarm:*' },
};

describe('Alerts', () => {
  it('has a topic where Route 53 has its metrics, encrypted under a key of its own', async () => {
    const { resources, result } = await declare();
    expect(named(resources, 'alerts', 'aws:sns/topic:Topic')).toMatchObject({
      parent: 'alerts',
      inputs: { region: 'us-east-1', name: 'acme-failover-alerts', kmsMasterKeyId: 'arn:alerts-key' },
    });
    expect(await valueOf(result.topicArn)).toBe('arn:alerts');
  });

  it('lets alarms use that key: without it CloudWatch would drop every message', async () => {
    const { inputs } = named((await declare()).resources, 'alerts-key');
    const policy = inputs['policy'];
    expect(inputs).toEqual({
      region: 'us-east-1',
      description: 'Messages of acme-failover-alerts',
      enableKeyRotation: true,
      deletionWindowInDays: 30,
      policy,
    });
    expect(JSON.parse(String(policy))).toEqual({
      Version: '2012-10-17',
      Statement: [
        {
          Sid: 'AdministeredByIam',
          Effect: 'Allow',
          Principal: { AWS: 'arn:aws:iam::123456789012:root' },
          Action: 'kms:*',
          Resource: '*',
        },
        {
          Sid: 'AlarmsPublish',
          Effect: 'Allow',
          Principal: { Service: 'cloudwatch.amazonaws.com' },
          Action: ['kms:Decrypt', 'kms:GenerateDataKey*'],
          Resource: '*',
          Condition: OWN_ALARMS,
        },
      ],
    });
  });

  it('takes messages from alarms of this account only, over TLS only', async () => {
    const { inputs } = named((await declare()).resources, 'alerts-policy');
    expect(JSON.parse(String(inputs['policy']))).toEqual({
      Version: '2012-10-17',
      Statement: [
        {
          Sid: 'AlarmsPublish',
          Effect: 'Allow',
          Principal: { Service: 'cloudwatch.amazonaws.com' },
          Action: 'sns:Publish',
          Resource: 'arn:alerts',
          Condition: OWN_ALARMS,
        },
        {
          Sid: 'TlsOnly',
          Effect: 'Deny',
          Principal: '*',
          Action: 'sns:Publish',
          Resource: 'arn:alerts',
          Condition: { Bool: { 'aws:SecureTransport': 'false' } },
        },
      ],
    });
  });

  it('subscribes e-mail addresses and webhooks, whose addresses are secret', async () => {
    const { resources } = await declare();
    expect(named(resources, 'alerts-ops@example.com').inputs).toEqual({
      region: 'us-east-1',
      topic: 'arn:alerts',
      protocol: 'email',
      endpoint: 'ops@example.com',
    });
    expect(named(resources, 'alerts-pagerduty').inputs).toEqual({
      region: 'us-east-1',
      topic: 'arn:alerts',
      protocol: 'https',
      endpoint: new Secret(URL),
      endpointAutoConfirms: true,
      rawMessageDelivery: false,
    });
    const others = resources.filter(({ name }) => name !== 'alerts-pagerduty');
    expect(JSON.stringify(others)).not.toContain('hush');
  });
});
