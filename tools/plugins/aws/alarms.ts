/** CloudWatch's alarms and SNS's topics. */
import type { JsonMap } from './bridge';
import { type AwsType, FLAG, NUMBER, REQUIRED, STRING, text, uniqueName } from './resource';

const alarm: AwsType = {
  fields: {
    name: STRING,
    alarmDescription: STRING,
    namespace: REQUIRED,
    metricName: REQUIRED,
    dimensions: { type: { mapOf: 'string' } },
    statistic: STRING,
    comparisonOperator: REQUIRED,
    threshold: NUMBER,
    period: NUMBER,
    evaluationPeriods: { type: 'number', required: true },
    treatMissingData: STRING,
    alarmActions: { type: { listOf: 'string' } },
    okActions: { type: { listOf: 'string' } },
  },
  replaceOn: ['name'],
  outputs: ['arn', 'name'],
  async create(inputs, { ask, region, name }) {
    const AlarmName = uniqueName(inputs['name'], name);
    await ask('cloudwatch', 'put_metric_alarm', alarmParameters(AlarmName, inputs));
    return {
      id: AlarmName,
      name: AlarmName,
      arn: `arn:aws:cloudwatch:${region}:123456789012:alarm:${AlarmName}`,
    };
  },
  async update(inputs, state, { ask }) {
    await ask('cloudwatch', 'put_metric_alarm', alarmParameters(text(state['id']), inputs));
    return {};
  },
  delete: (state, { ask }) => ask('cloudwatch', 'delete_alarms', { AlarmNames: [state['id'] ?? ''] }),
};

const alarmParameters = (AlarmName: string, inputs: JsonMap): JsonMap => ({
  AlarmName,
  AlarmDescription: inputs['alarmDescription'],
  Namespace: inputs['namespace'],
  MetricName: inputs['metricName'],
  Dimensions: Object.entries((inputs['dimensions'] ?? {}) as JsonMap).map(([Name, Value]) => ({
    Name,
    Value,
  })),
  Statistic: inputs['statistic'],
  ComparisonOperator: inputs['comparisonOperator'],
  Threshold: inputs['threshold'],
  Period: inputs['period'],
  EvaluationPeriods: inputs['evaluationPeriods'],
  TreatMissingData: inputs['treatMissingData'],
  AlarmActions: inputs['alarmActions'],
  OKActions: inputs['okActions'],
});

const topic: AwsType = {
  fields: { name: REQUIRED, kmsMasterKeyId: STRING },
  replaceOn: ['name'],
  outputs: ['arn'],
  async create(inputs, { ask }) {
    const made = await ask('sns', 'create_topic', {
      Name: inputs['name'],
      ...(inputs['kmsMasterKeyId'] === undefined
        ? {}
        : { Attributes: { KmsMasterKeyId: inputs['kmsMasterKeyId'] } }),
    });
    return { id: text(made['TopicArn']), arn: made['TopicArn'] };
  },
  async update(inputs, state, { ask }) {
    await ask('sns', 'set_topic_attributes', {
      TopicArn: state['id'],
      AttributeName: 'KmsMasterKeyId',
      AttributeValue: inputs['kmsMasterKeyId'] ?? '',
    });
    return {};
  },
  delete: (state, { ask }) => ask('sns', 'delete_topic', { TopicArn: state['id'] }),
};

const setPolicy: NonNullable<AwsType['update']> = async (inputs, _state, { ask }) => {
  await ask('sns', 'set_topic_attributes', {
    TopicArn: inputs['arn'],
    AttributeName: 'Policy',
    AttributeValue: inputs['policy'],
  });
  return {};
};

const topicPolicy: AwsType = {
  fields: { arn: REQUIRED, policy: REQUIRED },
  replaceOn: ['arn'],
  outputs: [],
  async create(inputs, context) {
    await setPolicy(inputs, {}, context);
    return { id: text(inputs['arn']) };
  },
  update: setPolicy,
  delete: async () => undefined, // goes with the topic
};

const topicSubscription: AwsType = {
  fields: {
    topic: REQUIRED,
    protocol: REQUIRED,
    endpoint: REQUIRED,
    endpointAutoConfirms: FLAG,
    rawMessageDelivery: FLAG,
  },
  replaceOn: 'all',
  outputs: ['arn'],
  async create(inputs, { ask }) {
    const made = await ask('sns', 'subscribe', {
      TopicArn: inputs['topic'],
      Protocol: inputs['protocol'],
      Endpoint: inputs['endpoint'],
      ReturnSubscriptionArn: true,
    });
    return { id: text(made['SubscriptionArn']), arn: made['SubscriptionArn'] };
  },
  delete: (state, { ask }) => ask('sns', 'unsubscribe', { SubscriptionArn: state['id'] }),
};

export const alarmTypes: Readonly<Record<string, AwsType>> = {
  'aws:cloudwatch/metricAlarm:MetricAlarm': alarm,
  'aws:sns/topic:Topic': topic,
  'aws:sns/topicPolicy:TopicPolicy': topicPolicy,
  'aws:sns/topicSubscription:TopicSubscription': topicSubscription,
};
