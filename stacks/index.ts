/** The program of every stack: what it declares depends on `stackKind` and on the platform. */
import * as pulumi from '@pulumi/pulumi';
import { buildAgentBundle } from '../infra/bundle';
import { loadConfig } from '../infra/config';
import { figuresText } from '../infra/figures';
import { declareAwsSite } from './aws-site';
import { declareAwsWitness } from './aws-witness';
import { declareCloudflareWitness } from './cloudflare-witness';
import { declareSite } from './site';
import { declareWitness } from './witness';

export = async () => {
  const config = loadConfig();
  await pulumi.log.info(figuresText(config.budget, config.cost));
  const bundle = buildAgentBundle();
  if (config.kind === 'site')
    return config.platform === 'aws'
      ? await declareAwsSite(config, bundle)
      : await declareSite(config, bundle);
  switch (config.platform) {
    case 'aws':
      return await declareAwsWitness(config);
    case 'cloudflare':
      return await declareCloudflareWitness(config);
    case 'dedicated':
      return await declareWitness(config, bundle);
  }
};
