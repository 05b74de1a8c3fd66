/** What a preview refuses, and in which words: `make refusals` shows each, the tests hold them to it. */
import { stubProviders } from '../../tools/plugins/testing/stub';
import { Project } from '../../tools/plugins/testing/project';
import { POLICY_PACK } from '../../tools/preview/preview';
import { progress } from '../../tools/cache';
import { refusal } from '../testing/refusal';
import { ExampleWorld } from './example';

export interface RefusedSettings {
  readonly what: string;
  /** Changes to the example's settings of uk-primary. */
  readonly changes: Readonly<Record<string, unknown>>;
  /** What is said, or the part of it that names what came, what is expected and what to do. */
  readonly says: RegExp;
}

const inIreland = [
  ['uk-primary', '192.0.2.10', 'eu-west-1'],
  ['eu-standby', '192.0.2.20', 'eu-central-1'],
].map(([site = '', address, region]) => ({
  site,
  host: `${site.slice(0, 2)}.failover.test`,
  addresses: [address],
  platform: 'aws',
  region,
}));

export const REFUSED_SETTINGS: readonly RefusedSettings[] = [
  {
    what: 'trap 9: a type that the region does not offer',
    changes: { sites: inIreland },
    says: /does not offer g6\.xlarge in eu-west-1\. Set failover:awsInstanceType to one .* g5\.xlarge.*/,
  },
  {
    what: 'more than twice the cost of one region',
    changes: { monthlyCostsUsd: { 'uk-primary': 735, 'eu-standby': 900, witness: 15 } },
    says: /maxCostPercent: got 200; allowed: at least 225: .* = 1650 US dollars a month, 2\.24 times one region.*/,
  },
  {
    what: 'a TTL over a minute',
    changes: { dnsTtlSeconds: 300, rtoSeconds: 900 },
    says: /dnsTtlSeconds: got 300; allowed: at most 60.*/,
  },
  {
    what: 'a GPU that cannot hold the model',
    changes: { modelGib: 140 },
    says: /awsInstanceType: got "g6\.xlarge"; allowed: a type whose GPUs hold 140 GiB.*/,
  },
];

/** Previews uk-primary with the changes and answers all that the engine said; throws when it was not refused. */
export async function refusedSettings(
  world: ExampleWorld,
  { changes }: Pick<RefusedSettings, 'changes'>,
): Promise<string> {
  const stack = 'uk-primary';
  await world.configure(stack, changes);
  try {
    const words = ['preview', '--non-interactive', '--color', 'never', '--stack', stack];
    return await refusal(world.pulumi([...words, ...world.configWords(stack)]));
  } finally {
    await world.configure(stack);
  }
}

/** No setting opens another port, so this is a change to the program itself, which the policies see. */
const OPEN_SECURITY_GROUP = {
  what: 'a security group that is open beyond 443',
  program: `
    const aws = require('@pulumi/aws');
    new aws.ec2.SecurityGroup('servers', { region: 'eu-west-2', ingress: [
      { protocol: 'tcp', fromPort: 22, toPort: 22, cidrBlocks: ['0.0.0.0/0'] } ] });`,
  says: /ingress-https-only.*\n.*/,
};

async function openSecurityGroup(): Promise<string> {
  const project = await Project.create();
  try {
    await stubProviders(project, ['aws']);
    const { status, output } = await project.preview(
      OPEN_SECURITY_GROUP.program,
      '--policy-pack',
      POLICY_PACK,
    );
    if (status === 0) throw new Error(`it was not refused: ${OPEN_SECURITY_GROUP.what}`);
    return output;
  } finally {
    await project.end();
  }
}

function show(what: string, output: string, says: RegExp): void {
  const found = says.exec(output);
  if (found === null) throw new Error(`${what} was refused in other words:\n${output}`);
  process.stdout.write(`\n${what}:\n  ${found[0].replace(/\s*\n\s*/g, '\n  ')}\n`);
}

async function main(): Promise<void> {
  progress('starting an emulated AWS with three stacks in it');
  const world = await ExampleWorld.start();
  try {
    progress('deploying the witness to the emulator');
    await world.up('witness');
    for (const refused of REFUSED_SETTINGS)
      show(refused.what, await refusedSettings(world, refused), refused.says);
  } finally {
    await world.dispose();
  }
  show(OPEN_SECURITY_GROUP.what, await openSecurityGroup(), OPEN_SECURITY_GROUP.says);
}

if (require.main === module)
  main().catch((error: unknown) => {
    progress(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  });
