import { named, record, Secret } from '../testing/recording';
import { CloudflareNotifications, type CloudflareNotificationsArgs } from './notifications';

const ARGS: CloudflareNotificationsArgs = {
  accountId: 'account',
  prefix: 'acme',
  poolIds: ['pool-1', 'pool-2'],
  emails: ['ops@example.com'],
  webhooks: [{ name: 'chat', url: 'https://hooks.example.com/hush', secret: 'hush-too' }],
  pagerDutyIds: ['pagerduty-1'],
};
const declare = (more: Partial<CloudflareNotificationsArgs> = {}) =>
  record(() => void new CloudflareNotifications('notify', { ...ARGS, ...more }));
const MECHANISMS = {
  emails: [{ id: 'ops@example.com' }],
  webhooks: [{ id: 'notify-chat-id' }],
  pagerduties: [{ id: 'pagerduty-1' }],
};

describe('CloudflareNotifications', () => {
  it('tells of sites becoming ready and unready', async () => {
    const { resources } = await declare();
    expect(named(resources, 'notify-health')).toMatchObject({ parent: 'notify' });
    expect(named(resources, 'notify-health').inputs).toEqual({
      accountId: 'account',
      enabled: true,
      mechanisms: MECHANISMS,
      name: 'acme site readiness',
      description: 'A site became ready or unready; only the holder of the lease is ready',
      alertType: 'load_balancing_health_alert',
      filters: {
        poolIds: ['pool-1', 'pool-2'],
        newHealths: ['Unhealthy', 'Healthy'],
        eventSources: ['pool'],
      },
    });
  });

  it('tells of pools turned on and off by hand', async () => {
    const { resources } = await declare();
    expect(named(resources, 'notify-toggle').inputs).toMatchObject({
      alertType: 'load_balancing_pool_enablement_alert',
      filters: { poolIds: ['pool-1', 'pool-2'], enableds: ['true', 'false'] },
      mechanisms: MECHANISMS,
    });
  });

  it('keeps the addresses and secrets of webhooks secret', async () => {
    const { resources } = await declare();
    expect(named(resources, 'notify-chat').inputs).toEqual({
      accountId: 'account',
      name: 'acme-chat',
      url: new Secret('https://hooks.example.com/hush'),
      secret: new Secret('hush-too'),
    });
    expect(JSON.stringify(resources.filter(({ name }) => name !== 'notify-chat'))).not.toContain('hush');
  });

  it('leaves out ways that nobody asked for', async () => {
    const { resources } = await declare({ webhooks: [], pagerDutyIds: [] });
    expect(named(resources, 'notify-health').inputs['mechanisms']).toEqual({
      emails: [{ id: 'ops@example.com' }],
    });
  });

  it('refuses to tell nobody', async () => {
    await expect(declare({ emails: [], webhooks: [], pagerDutyIds: [] })).rejects.toThrow('DNS_ARGUMENT');
  });
});
