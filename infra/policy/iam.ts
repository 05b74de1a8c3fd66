import { allowing, nameOf, texts } from './documents';
import { type Finding, type Inspected, resourceRule } from './rule';
import { at, listOf, UNKNOWN, type Value, type Values } from './values';

const ROLE = 'aws:iam/role:Role';
const INLINE_OR_OWN = [
  'aws:iam/rolePolicy:RolePolicy',
  'aws:iam/userPolicy:UserPolicy',
  'aws:iam/groupPolicy:GroupPolicy',
  'aws:iam/policy:Policy',
];
const ATTACHMENTS = [
  'aws:iam/rolePolicyAttachment:RolePolicyAttachment',
  'aws:iam/userPolicyAttachment:UserPolicyAttachment',
  'aws:iam/groupPolicyAttachment:GroupPolicyAttachment',
  'aws:iam/policyAttachment:PolicyAttachment',
];
/** AWS's own policies that allow all, or all of a service; its narrower ones are not ours to write. */
const ALLOWS_ALL = /:iam::aws:policy\/(?:.+\/)?(AdministratorAccess|PowerUserAccess|\w+FullAccess)$/;
const ARN_PARTS = 6;

const isWild = (text: string): boolean => /^[*?]+$/.test(text);

/** All actions, all of a service, or some of every service. */
function isWildAction(action: string): boolean {
  const [service = '', name] = action.split(':');
  return name === undefined ? isWild(service) : isWild(name) || /[*?]/.test(service);
}

/** Everything, or an ARN that leaves open which; one that names what its wildcard is within is none. */
function isWildResource(resource: string): boolean {
  const parts = resource.split(':');
  if (parts.length < ARN_PARTS) return /[*?]/.test(resource);
  return parts.length === ARN_PARTS && isWild(parts[ARN_PARTS - 1] as string);
}

function wildcards(statement: Values): string[] {
  return [
    ...texts(statement['Action'])
      .filter(isWildAction)
      .map((action) => `Action "${action}"`),
    ...texts(statement['Resource'])
      .filter(isWildResource)
      .map((resource) => `Resource "${resource}"`),
    // All but what is named.
    ...['NotAction', 'NotResource'].filter((key) => statement[key] !== undefined),
  ];
}

const known = (value: Value): readonly Value[] => (value === UNKNOWN ? [] : listOf(value));

function documentsOf({ type, props }: Inspected): readonly Value[] {
  if (type === ROLE) return known(props['inlinePolicies']).map((each) => at(each, 'policy'));
  return INLINE_OR_OWN.includes(type) ? [props['policy']] : [];
}

function managedPoliciesOf({ type, props }: Inspected): readonly string[] {
  return texts(type === ROLE ? props['managedPolicyArns'] : props['policyArn']);
}

const finding = (found: string): Finding => ({
  found,
  expected: 'the actions and ARNs that are needed, by name',
  remedy:
    'Name each action, and each resource by its ARN; a path such as arn:…/status/* may end in a wildcard',
});

/** Identity policies only: in a key's own policy `kms:*` on `*` means that key, and its account must keep it. */
export const iamRules = [
  resourceRule({
    name: 'iam-no-wildcards',
    description: 'Roles and users may do what is named, to what is named.',
    types: [ROLE, ...INLINE_OR_OWN, ...ATTACHMENTS],
    check: (resource) => [
      ...documentsOf(resource)
        .flatMap(allowing)
        .flatMap((statement) =>
          wildcards(statement).map((wildcard) => finding(`${nameOf(statement)} that allows ${wildcard}`)),
        ),
      ...managedPoliciesOf(resource)
        .map((arn) => ALLOWS_ALL.exec(arn)?.[1])
        .filter((name) => name !== undefined)
        .map((name) => finding(`the managed policy ${name}, which allows all of it`)),
    ],
  }),
];
