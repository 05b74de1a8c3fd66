/** The program of every stack: what it declares depends on `stackKind` alone. */
import { buildAgentBundle } from '../infra/bundle';
import { loadConfig } from '../infra/config';
import { declareSite } from './site';
import { declareWitness } from './witness';

export = async () => {
  const config = loadConfig();
  const bundle = buildAgentBundle();
  return config.kind === 'witness' ? declareWitness(config, bundle) : await declareSite(config, bundle);
};
