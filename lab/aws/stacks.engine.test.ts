/** The real engine applies the real program to an emulated AWS, whose own API is then asked for what the design needs. */
import type { JsonMap } from '../../tools/plugins/aws/bridge';
import { refusal } from '../testing/refusal';
import { ExampleWorld, REGIONS } from './example';
import { REFUSED_SETTINGS, refusedSettings } from './refusals';

const ALL = ['witness', 'uk-primary', 'eu-standby'] as const;
const NO_CHANGES = ['--expect-no-changes'];

let world: ExampleWorld;
beforeAll(async () => {
  world = await ExampleWorld.start();
  for (const stack of ALL) await world.up(stack);
}, 300_000);
afterAll(() => world.dispose());

const list = (told: JsonMap, name: string): JsonMap[] => (told[name] ?? []) as JsonMap[];

const buckets = {
  lease: ['acme-failover-lease-123456789012', REGIONS.witness],
  snapshots: ['acme-failover-snapshots-123456789012', REGIONS.witness],
  'logs uk': [`acme-failover-logs-${REGIONS['uk-primary']}-123456789012`, REGIONS['uk-primary']],
  'logs eu': [`acme-failover-logs-${REGIONS['eu-standby']}-123456789012`, REGIONS['eu-standby']],
  'deploy uk': ['acme-failover-uk-primary-deploy-123456789012', REGIONS['uk-primary']],
  'deploy eu': ['acme-failover-eu-standby-deploy-123456789012', REGIONS['eu-standby']],
} as const;
const [UK_BUCKET, UK] = buckets['deploy uk'];

async function instances(region: string): Promise<JsonMap[]> {
  const { Reservations } = await world.ask('ec2', region, 'describe_instances');
  return (Reservations as JsonMap[]).flatMap((reservation) => list(reservation, 'Instances'));
}
async function object(key: string): Promise<string> {
  const { Body } = await world.ask('s3', UK, 'get_object', { Bucket: UK_BUCKET, Key: key });
  return Buffer.from((Body as { $base64: string }).$base64, 'base64').toString();
}

describe('three stacks on AWS', () => {
  it('have nothing left to do', async () => {
    for (const stack of ALL) await world.up(stack, ...NO_CHANGES);
  }, 120_000);

  it.each(Object.entries(buckets))(
    'keep the bucket %s versioned, encrypted and closed',
    async (_role, [Bucket, region]) => {
      const ask = (operation: string) => world.ask('s3', region, operation, { Bucket });
      expect(await ask('get_bucket_versioning')).toMatchObject({ Status: 'Enabled' });
      expect(await ask('get_public_access_block')).toMatchObject({
        PublicAccessBlockConfiguration: {
          BlockPublicAcls: true,
          BlockPublicPolicy: true,
          IgnorePublicAcls: true,
          RestrictPublicBuckets: true,
        },
      });
      expect(JSON.stringify(await ask('get_bucket_encryption'))).toContain('aws:kms');
      expect(JSON.parse(String((await ask('get_bucket_policy'))['Policy']))).toMatchObject({
        Statement: [
          { Sid: 'TlsOnly', Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } },
        ],
      });
    },
  );

  it('keep every secret in both regions, so that either can be lost', async () => {
    const { SecretList } = await world.ask('secretsmanager', UK, 'list_secrets');
    const names = (SecretList as JsonMap[]).map(({ Name }) => String(Name)).sort();
    expect(names).toEqual(
      [
        'acme-failover/client-key',
        'acme-failover/operator-key',
        'acme-failover/peer-key',
        'acme-failover/repository-key',
        'acme-failover/uk-primary/qdrant-key',
        'acme-failover/uk-primary/vllm-key',
        'acme-failover/uk-primary/tls-certificate',
        'acme-failover/uk-primary/tls-private-key',
        // replicas of the other site's
        'acme-failover/eu-standby/qdrant-key',
        'acme-failover/eu-standby/vllm-key',
        'acme-failover/eu-standby/tls-certificate',
        'acme-failover/eu-standby/tls-private-key',
      ].sort(),
    );
    for (const SecretId of names) {
      const [here, there] = await Promise.all(
        [UK, REGIONS['eu-standby']].map((region) =>
          world.ask('secretsmanager', region, 'get_secret_value', { SecretId }),
        ),
      );
      expect(there?.['SecretString']).toBe(here?.['SecretString']);
    }
  });

  it('answer the service’s name from the health of each site', async () => {
    const { HostedZones } = await world.ask('route53', UK, 'list_hosted_zones');
    const [zone] = HostedZones as JsonMap[];
    const told = await world.ask('route53', UK, 'list_resource_record_sets', {
      HostedZoneId: String(zone?.['Id']),
    });
    const service = list(told, 'ResourceRecordSets').filter(({ Name }) => Name === 'api.failover.test.');
    expect(service.map(({ SetIdentifier, Failover, TTL }) => ({ SetIdentifier, Failover, TTL }))).toEqual(
      expect.arrayContaining([
        { SetIdentifier: 'uk-primary', Failover: 'PRIMARY', TTL: 60 },
        { SetIdentifier: 'eu-standby', Failover: 'SECONDARY', TTL: 60 },
      ]),
    );
    const { HealthChecks } = await world.ask('route53', UK, 'list_health_checks');
    const checks = new Map(
      (HealthChecks as JsonMap[]).map(({ Id, HealthCheckConfig }) => [Id, HealthCheckConfig]),
    );
    for (const { SetIdentifier, HealthCheckId } of service)
      expect(checks.get(HealthCheckId)).toMatchObject({
        Type: 'HTTPS_STR_MATCH',
        FullyQualifiedDomainName: `${String(SetIdentifier).slice(0, 2)}.failover.test`,
        ResourcePath: '/readyz',
        SearchString: '"ready":true',
        RequestInterval: 10,
        FailureThreshold: 3,
      });
    const { MetricAlarms } = await world.ask('cloudwatch', 'us-east-1', 'describe_alarms');
    expect(MetricAlarms).toHaveLength(2);
  });

  it.each(['uk-primary', 'eu-standby'] as const)('run %s on a closed, protected instance', async (site) => {
    const region = REGIONS[site];
    const [instance, ...others] = await instances(region);
    expect(others).toEqual([]);
    const InstanceId = String(instance?.['InstanceId']);
    expect(instance?.['MetadataOptions']).toMatchObject({ HttpTokens: 'required' });
    expect(
      await world.ask('ec2', region, 'describe_instance_attribute', {
        InstanceId,
        Attribute: 'disableApiTermination',
      }),
    ).toMatchObject({ DisableApiTermination: { Value: true } });
    const volumes = list(await world.ask('ec2', region, 'describe_volumes'), 'Volumes');
    expect(volumes.map(({ Encrypted, Size }) => ({ Encrypted, Size }))).toEqual(
      expect.arrayContaining([{ Encrypted: true, Size: 200 }]),
    );
    const rules = list(await world.ask('ec2', region, 'describe_security_group_rules'), 'SecurityGroupRules');
    const open = rules.filter(({ IsEgress, FromPort }) => IsEgress === false && FromPort !== -1);
    expect(
      new Set(
        open.map(
          ({ IpProtocol, FromPort, ToPort }) => `${String(IpProtocol)} ${String(FromPort)}-${String(ToPort)}`,
        ),
      ),
    ).toEqual(new Set(['tcp 443-443']));
  });

  it('trap 35: keep user data small and free of secrets', async () => {
    const [instance] = await instances(UK);
    const { UserData } = await world.ask('ec2', UK, 'describe_instance_attribute', {
      InstanceId: String(instance?.['InstanceId']),
      Attribute: 'userData',
    });
    const text = Buffer.from(String((UserData as JsonMap)['Value']), 'base64').toString();
    expect(text).toContain(UK_BUCKET);
    expect(text.length).toBeLessThan(4096);
  });

  it('trap 34: keep no secret in the state in the clear', async () => {
    const state = await world.pulumi(['stack', 'export', '--stack', 'uk-primary']);
    const witness = await world.pulumi(['stack', 'export', '--stack', 'witness']);
    const { SecretList } = await world.ask('secretsmanager', UK, 'list_secrets');
    for (const { Name } of SecretList as JsonMap[]) {
      if (String(Name).endsWith('tls-certificate')) continue; // public
      const { SecretString } = await world.ask('secretsmanager', UK, 'get_secret_value', {
        SecretId: String(Name),
      });
      const line = String(SecretString)
        .split('\n')
        .find((part) => part.length > 20 && !part.startsWith('-----'));
      expect(state).not.toContain(line);
      expect(witness).not.toContain(line);
    }
  });

  it('bring a changed setting to servers without touching an instance', async () => {
    const [before] = await instances(UK);
    const pointer = JSON.parse(await object('desired/uk-primary-1.json')) as { spec: { key: string } };
    await world.configure('uk-primary', { edgeMaxConnections: 5000 });
    const said = await world.up('uk-primary');
    const now = JSON.parse(await object('desired/uk-primary-1.json')) as { spec: { key: string } };
    expect(now.spec.key).not.toBe(pointer.spec.key);
    expect(JSON.parse(await object(now.spec.key))).toMatchObject({ edge: { maxConnections: 5000 } });
    const [after] = await instances(UK);
    expect(after?.['InstanceId']).toBe(before?.['InstanceId']);
    expect(said).toMatch(/\+-1 replaced|\+ 1 created/);
  }, 60_000);

  it('keep the secret before a new one readable, for the time of a rotation', async () => {
    const SecretId = 'acme-failover/client-key';
    const ask = (VersionStage: string) =>
      world.ask('secretsmanager', REGIONS['eu-standby'], 'get_secret_value', { SecretId, VersionStage });
    const { SecretString: old } = await ask('AWSCURRENT');
    await world.up('witness', '--replace', '**RandomPassword::secrets-client');
    const { SecretString: fresh } = await ask('AWSCURRENT');
    expect(fresh).not.toBe(old);
    expect((await ask('AWSPREVIOUS'))['SecretString']).toBe(old);
  }, 60_000);

  it('notice what somebody took away by hand, and put it back', async () => {
    const { SecurityGroups } = await world.ask('ec2', UK, 'describe_security_groups', {
      Filters: [{ Name: 'description', Values: ['Servers of the site: HTTPS in, anything out'] }],
    });
    const GroupId = String((SecurityGroups as JsonMap[])[0]?.['GroupId']);
    const told = await world.ask('ec2', UK, 'describe_security_group_rules', {
      Filters: [{ Name: 'group-id', Values: [GroupId] }],
    });
    const rule = list(told, 'SecurityGroupRules').find(
      ({ CidrIpv4, IsEgress }) => IsEgress === false && CidrIpv4 === '0.0.0.0/0',
    );
    await world.ask('ec2', UK, 'revoke_security_group_ingress', {
      GroupId,
      SecurityGroupRuleIds: [String(rule?.['SecurityGroupRuleId'])],
    });
    const words = [
      'preview',
      '--refresh',
      ...NO_CHANGES,
      '--non-interactive',
      '--color',
      'never',
      '--stack',
      'uk-primary',
    ];
    const said = await refusal(world.pulumi([...words, ...world.configWords('uk-primary')]));
    expect(said).toMatch(/no changes were expected for preview but changes were proposed/);
    await world.up('uk-primary', '--refresh');
    await world.pulumi([...words, ...world.configWords('uk-primary')]);
  }, 90_000);
});

describe('a preview on AWS refuses', () => {
  it.each(REFUSED_SETTINGS)(
    '$what',
    async (refused) => {
      expect(await refusedSettings(world, refused)).toMatch(refused.says);
    },
    60_000,
  );
});

describe('taking them away', () => {
  it('is refused while data is protected', async () => {
    const words = [
      'destroy',
      '--yes',
      '--skip-preview',
      '--non-interactive',
      '--color',
      'never',
      '--stack',
      'eu-standby',
    ];
    expect(await refusal(world.pulumi([...words, ...world.configWords('eu-standby')]))).toMatch(/protected/);
    expect(
      (await instances(REGIONS['eu-standby'])).filter(
        ({ State }) => (State as JsonMap)['Name'] === 'running',
      ),
    ).toHaveLength(1);
  }, 60_000);

  it('leaves nothing behind once it is not', async () => {
    for (const stack of ['uk-primary', 'eu-standby', 'witness'] as const) {
      await world.configure(stack, { protectData: false });
      await world.up(stack);
    }
    for (const stack of ['uk-primary', 'eu-standby', 'witness'] as const) {
      const words = [
        'destroy',
        '--yes',
        '--skip-preview',
        '--non-interactive',
        '--color',
        'never',
        '--stack',
        stack,
      ];
      await world.pulumi([...words, ...world.configWords(stack)]);
    }
    expect((await world.ask('s3', UK, 'list_buckets'))['Buckets']).toEqual([]);
    expect((await world.ask('route53', UK, 'list_hosted_zones'))['HostedZones']).toEqual([]);
    expect((await world.ask('route53', UK, 'list_health_checks'))['HealthChecks']).toEqual([]);
    for (const region of [UK, REGIONS['eu-standby']]) {
      const states = (await instances(region)).map(({ State }) => (State as JsonMap)['Name']);
      expect(states).toEqual(['terminated']);
      expect((await world.ask('secretsmanager', region, 'list_secrets'))['SecretList']).toEqual([]);
    }
  }, 180_000);
});
