import * as pulumi from '@pulumi/pulumi';
import type { z } from 'zod';
import type { ObjectStoreArns } from '../components/aws/store-access';
import { FailoverError } from '../infra/errors';
import { WitnessOutputs } from '../infra/contract/stack-outputs';

const Facts = WitnessOutputs.pick({
  zone: true,
  serviceHost: true,
  storeEndpoint: true,
  storeRegion: true,
  leaseBucket: true,
  snapshotBucket: true,
});
const OptionalFacts = WitnessOutputs.pick({ aws: true, route53: true });
export type WitnessFacts = z.output<typeof Facts> & z.output<typeof OptionalFacts>;
type SecretName =
  'clientKey' | 'operatorKey' | 'peerKey' | 'qdrantKey' | 'vllmKey' | 'repositoryKey' | 'tsigKey';

export class WitnessNotReadyError extends FailoverError {
  constructor(stackName: string, missing: string) {
    super(
      'WITNESS_NOT_READY',
      `stack ${stackName} should be a deployed witness, and it ${missing}. ` +
        `Run pulumi up --stack ${stackName} first, or set failover:witnessStack to the witness's stack.`,
    );
  }
}

/** Not a fallback: a site that talks to another zone's witness would hold another service's lease. */
export class WitnessMismatchError extends FailoverError {
  constructor(stackName: string, key: string, expected: string, got: string) {
    super(
      'WITNESS_MISMATCH',
      `this site's ${key} is ${expected}, and the witness (stack ${stackName}) was deployed with ${got}. ` +
        `Set ${key} once, in Pulumi.yaml, and run pulumi up --stack ${stackName} first.`,
    );
  }
}

/** What a site reads of the witness's stack. */
export interface WitnessReference {
  readonly facts: WitnessFacts;
  /** @throws WitnessNotReadyError when the witness is not on AWS. */
  aws(): AwsFacts;
  secret(name: SecretName): pulumi.Output<string>;
  /** The site's account at the object store, where the witness makes accounts and the site has no role. */
  storeAccount(): pulumi.Output<{ accessKey: string; secretKey: string }>;
}

export interface WitnessExpectation {
  readonly site: string;
  readonly zone: string;
  readonly serviceHost: string;
}

export type LogFacts = NonNullable<WitnessOutputs['aws']>['logs'];

/** The witness on AWS, as a site on AWS needs it. */
export interface AwsFacts {
  readonly accountId: string;
  readonly store: ObjectStoreArns;
  /** By region. */
  readonly logs: LogFacts;
  /** ARNs of the shared secrets by the credentials that they become. */
  secretsIn(region: string): Readonly<Record<string, string>>;
  secretsKeyArn(region: string): string;
  /** Where a secret of the region has its replica. */
  otherRegion(region: string): string;
}

function awsFacts(stackName: string, outputs: WitnessOutputs['aws']): AwsFacts {
  if (outputs === undefined)
    throw new WitnessNotReadyError(stackName, 'was deployed to a dedicated server and not to AWS');
  const { accountId, secrets, logs, ...store } = outputs;
  const regional = (region: string) => {
    const found = secrets[region];
    if (found === undefined) throw new WitnessNotReadyError(stackName, `keeps no secrets in ${region}`);
    return found;
  };
  return {
    accountId,
    store,
    logs,
    secretsIn: (region) => regional(region).arns,
    secretsKeyArn: (region) => regional(region).keyArn,
    otherRegion: (region) => Object.keys(secrets).find((other) => other !== region) ?? region,
  };
}

async function readFacts(reference: pulumi.StackReference, stackName: string): Promise<WitnessFacts> {
  const required = Object.keys(Facts.shape);
  const names = [...required, ...Object.keys(OptionalFacts.shape)];
  const values = await Promise.all(names.map((name) => reference.getOutputDetails(name)));
  const outputs = Object.fromEntries(names.map((name, index) => [name, values[index]?.value as unknown]));
  const absent = required.filter((name) => outputs[name] === undefined || outputs[name] === null);
  if (absent.length > 0) throw new WitnessNotReadyError(stackName, `has no output ${absent.join(', ')}`);
  return { ...Facts.parse(outputs), ...OptionalFacts.parse(outputs) };
}

/**
 * @throws WitnessNotReadyError when that stack has not been deployed as a witness.
 * @throws WitnessMismatchError when it serves another zone or name.
 */
export async function readWitness(
  stackName: string,
  expected: WitnessExpectation,
): Promise<WitnessReference> {
  const fullName = `${pulumi.getOrganization()}/${pulumi.getProject()}/${stackName}`;
  const reference = new pulumi.StackReference('witness', { name: fullName });
  const facts = await readFacts(reference, stackName);
  for (const key of ['zone', 'serviceHost'] as const)
    if (facts[key] !== expected[key])
      throw new WitnessMismatchError(stackName, key, expected[key], facts[key]);
  const read = (name: string): pulumi.Output<unknown> => pulumi.secret(reference.requireOutput(name));
  return {
    facts,
    aws: () => awsFacts(stackName, facts.aws),
    secret: (name) => read(name).apply((value) => WitnessOutputs.shape[name].parse(value)),
    storeAccount: () =>
      read('storeAccounts').apply((value) => {
        const account = WitnessOutputs.shape.storeAccounts.parse(value)[expected.site];
        if (account === undefined)
          throw new WitnessNotReadyError(stackName, `has no object store account for ${expected.site}`);
        return account;
      }),
  };
}
