import * as aws from '@pulumi/aws';
import type { AwsSiteConfig, AwsWitnessConfig, SiteConfig, WitnessConfig } from '../infra/config';
import type { WitnessOutputs } from '../infra/contract/stack-outputs';
import type { AsInputs } from './outputs';
import type { WitnessFacts } from './witness-reference';

/** What the witness's stack says of a zone that another answers for. */
export function declareZone(
  config: WitnessConfig | AwsWitnessConfig,
): Pick<AsInputs<WitnessOutputs>, 'nameservers' | 'route53'> {
  const { settings } = config;
  const opts = { protect: settings.protectData };
  const zone =
    settings.route53ZoneId === ''
      ? new aws.route53.Zone('zone', { name: settings.zone, comment: 'The service and its sites' }, opts)
      : aws.route53.Zone.get('zone', settings.route53ZoneId);
  return {
    nameservers: zone.nameServers,
    route53: zone.zoneId.apply((zoneId) => ({ zoneId, alertTopicArn: '' })),
  };
}

/** What the site's own stack says of its name and of the service's. */
export function declareSiteRecord(config: SiteConfig | AwsSiteConfig, witness: WitnessFacts): void {
  if (config.settings.dnsProvider !== 'route53') return;
}
