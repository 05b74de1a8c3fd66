/**
 * The test-only `aws` plugin: the types that our program uses, against an emulator. It refuses to run without one, so that it
 * can never be taken for the vendor's plugin and pointed at an account.
 */
import { VERSIONS } from '../../versions';
import { serve } from '../protocol/server';
import type { WireMap } from '../protocol/values';
import { alarmTypes } from './alarms';
import { Bridge } from './bridge';
import { computeTypes } from './compute';
import { dnsTypes } from './dns';
import { awsFunctions } from './functions';
import { identityTypes } from './identity';
import { networkTypes } from './network';
import { awsResource, type Asker } from './resource';
import { secretTypes } from './secrets';
import { storageTypes } from './storage';

function required(variable: string): string {
  const value = process.env[variable];
  if (value === undefined || value === '')
    throw new Error(
      `${variable} is not set: this plugin works against an emulator only, and is started by its tests`,
    );
  return value;
}

let region = 'us-east-1';
const bridge = new Bridge({
  python: required('AWS_EMULATOR_PYTHON'),
  script: required('AWS_EMULATOR_BRIDGE'),
  endpoint: required('AWS_EMULATOR_ENDPOINT'),
});
const asker: Asker = {
  region: () => region,
  ask: (home) => (service, operation, params, elsewhere) =>
    bridge.call({ service, operation, params, region: elsewhere ?? home }),
};
const TYPES = {
  ...networkTypes,
  ...computeTypes,
  ...identityTypes,
  ...storageTypes,
  ...secretTypes,
  ...dnsTypes,
  ...alarmTypes,
};

serve(
  {
    name: 'aws',
    version: VERSIONS.emulatedAws,
    acceptSecrets: true,
    resources: Object.fromEntries(
      Object.entries(TYPES).map(([token, type]) => [token, awsResource(type, asker)]),
    ),
    functions: awsFunctions(asker),
    configure(variables: WireMap) {
      if (typeof variables['region'] === 'string') region = variables['region'];
    },
  },
  process.argv.slice(2),
).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
});
