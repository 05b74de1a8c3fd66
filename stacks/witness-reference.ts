import * as pulumi from '@pulumi/pulumi';
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
type Facts = ReturnType<typeof Facts.parse>;
type SecretName = 'clientKey' | 'operatorKey' | 'peerKey' | 'qdrantKey' | 'vllmKey' | 'tsigKey';

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
  readonly facts: Facts;
  secret(name: SecretName): pulumi.Output<string>;
  /** The site's account at the object store. */
  readonly storeAccount: pulumi.Output<{ accessKey: string; secretKey: string }>;
}

export interface WitnessExpectation {
  readonly site: string;
  readonly zone: string;
  readonly serviceHost: string;
}

async function readFacts(reference: pulumi.StackReference, stackName: string): Promise<Facts> {
  const names = Object.keys(Facts.shape);
  const values = await Promise.all(names.map((name) => reference.getOutputDetails(name)));
  const outputs = Object.fromEntries(names.map((name, index) => [name, values[index]?.value as unknown]));
  const absent = names.filter((name) => outputs[name] === undefined || outputs[name] === null);
  if (absent.length > 0) throw new WitnessNotReadyError(stackName, `has no output ${absent.join(', ')}`);
  return Facts.parse(outputs);
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
    secret: (name) => read(name).apply((value) => WitnessOutputs.shape[name].parse(value)),
    storeAccount: read('storeAccounts').apply((value) => {
      const account = WitnessOutputs.shape.storeAccounts.parse(value)[expected.site];
      if (account === undefined)
        throw new WitnessNotReadyError(stackName, `has no object store account for ${expected.site}`);
      return account;
    }),
  };
}
