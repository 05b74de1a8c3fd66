/** The project's policies as the real engine applies them, with providers that take everything. */
import { Project } from '../plugins/testing/project';
import { stubProviders } from '../plugins/testing/stub';
import { BREAKING, FINDINGS, type Finding } from './testing/breaking';
import { KEEPING } from './testing/keeping';
import { POLICY_PACK } from './preview';

let project: Project;

beforeAll(async () => {
  project = await Project.create();
  await stubProviders(project, ['aws', 'cloudflare']);
}, 300_000);
afterAll(async () => project.end());

const preview = (program: string) => project.preview(program, '--policy-pack', POLICY_PACK);

/** `[mandatory]  rule  (type: name)description`, and the message on a line of its own. */
function findingsIn(output: string): Finding[] {
  const lines = /\[(?:mandatory|advisory)\] +(\S+) +\(\S+ ([^)]+)\).*\n(.*)/g;
  return [...output.matchAll(lines)].map(([, rule, resource, message]) => [
    rule as string,
    resource as string,
    message as string,
  ]);
}

/** In an order that does not depend on which resource was declared when. */
const sorted = (findings: readonly Finding[]) =>
  [...findings].sort((a, b) => a.join('\0').localeCompare(b.join('\0')));

it('lets a program pass that keeps to every policy, whatever a preview does not know', async () => {
  const { status, output } = await preview(KEEPING);
  expect(findingsIn(output)).toEqual([]);
  expect(output).toContain('Policy Packs run:');
  expect(output).not.toMatch(/^warning|can't run policy/m);
  expect(status).toBe(0);
});

describe('a program that breaks every policy', () => {
  let status: number | null;
  let output: string;

  beforeAll(async () => {
    ({ status, output } = await preview(BREAKING));
  });

  it('is refused, with all that was found', () => {
    const found = findingsIn(output);
    for (const [, , message] of found) expect(message).toMatch(/^Found .+\. Expected .+\. [A-Z].+\.$/);
    const whatWasFound = found.map(([rule, resource, message]): Finding => [
      rule,
      resource,
      message.slice('Found '.length, message.indexOf('. Expected ')),
    ]);
    expect(sorted(whatWasFound)).toEqual(sorted(FINDINGS));
    expect(status).not.toBe(0);
  });

  it.each([
    ['failover-ttl', 'Expected a ttl of 60 seconds or less', 'Set ttl to 60 or less'],
    ['failover-health-check', 'Expected a health check', "to a check of the site's /readyz"],
    ['secrets-replicated', 'Expected a replica in another region', 'of the other site to replicas'],
    [
      'volumes-encrypted',
      "Expected encryption with a key of this project's",
      'Set encrypted to true and kmsKeyId',
    ],
    ['imdsv2-required', 'Expected "required" (IMDSv2)', 'Set metadataOptions to'],
    ['buckets-encrypted', 'Expected one with sseAlgorithm "aws:kms"', 'Use SecureBucket'],
    ['buckets-not-public', 'Expected one with blockPublicAcls, blockPublicPolicy', 'Use SecureBucket'],
    ['bucket-policies-not-public', 'Expected principals by ARN', 'Replace Principal "*"'],
    ['bucket-acls-not-public', 'Expected no ACL, or "private"', 'Remove the ACL'],
    ['iam-no-wildcards', 'Expected the actions and ARNs that are needed, by name', 'Name each action'],
    ['ingress-https-only', 'Expected "tcp", ports 443 to 443', 'Remove the rule'],
    ['data-protected', 'Expected protect: true', 'with { protect: settings.protectData }'],
  ])('hears of %s what is expected and what to do', (rule, expected, remedy) => {
    const messages = findingsIn(output).filter(([name]) => name === rule);
    expect(messages.length).toBeGreaterThan(0);
    for (const [, , message] of messages) {
      expect(message).toContain(expected);
      expect(message).toContain(remedy);
    }
  });

  it('may leave data unprotected in a stack whose protectData is false', async () => {
    await project.mustRun(['config', 'set', 'failover:protectData', 'false']);
    const rules = findingsIn((await preview(BREAKING)).output).map(([rule]) => rule);
    expect(rules).not.toContain('data-protected');
    expect(rules).toContain('failover-ttl');
  });
});

it('judges at deployment what a preview does not know', async () => {
  const program = `
    const aws = require('@pulumi/aws');
    const { id } = new aws.iam.Role('role', { assumeRolePolicy: '{}' });
    new aws.iam.RolePolicy('late', { role: 'uk', policy: pulumi.jsonStringify({ Statement: [
      { Effect: 'Allow', Action: 's3:*', Resource: pulumi.interpolate\`arn:aws:s3:::\${id}\` } ] }) });`;
  const planned = await preview(program);
  expect(planned.status).toBe(0);
  const { status, output } = await project.up(program, '--policy-pack', POLICY_PACK);
  expect(findingsIn(output).map(([rule, resource]) => [rule, resource])).toEqual([
    ['iam-no-wildcards', 'late'],
  ]);
  expect(status).not.toBe(0);
  expect((await project.resources()).map(({ type }) => type)).not.toContain('aws:iam/rolePolicy:RolePolicy');
});
