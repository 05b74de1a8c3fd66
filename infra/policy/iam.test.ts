import { iamRules } from './iam';

/** What is found in a role's policy with this one statement. */
function found(statement: object): readonly string[] {
  const messages: string[] = [];
  const [rule] = iamRules;
  const resource = {
    type: 'aws:iam/rolePolicy:RolePolicy',
    name: 'x',
    props: { policy: JSON.stringify({ Statement: [{ Effect: 'Allow', ...statement }] }) },
    opts: { protect: false },
  };
  const validate = rule?.validateResource as (args: object, report: (message: string) => void) => void;
  validate(resource, (message) => messages.push(message));
  return messages;
}

const ARN = 'arn:aws:s3:::bucket';

it.each(['*', '**', 's3:*', 's3:**', '*:*', '*:Get*', 's?:GetObject'])('refuses the action %s', (Action) => {
  expect(found({ Action, Resource: ARN })).toEqual([
    expect.stringContaining(`a statement that allows Action "${Action}".`),
  ]);
});

it.each(['s3:GetObject', 's3:Get*', 'kms:GenerateDataKey*'])('lets the action %s be', (Action) => {
  expect(found({ Action, Resource: ARN })).toEqual([]);
});

it.each(['*', '**', 'arn:*', 'arn:aws:s3:*', 'arn:aws:s3:::*', 'arn:aws:kms:eu-west-2:1:*'])(
  'refuses the resource %s',
  (Resource) => {
    expect(found({ Action: 's3:GetObject', Resource })).toEqual([
      expect.stringContaining(`a statement that allows Resource "${Resource}".`),
    ]);
  },
);

it.each([ARN, `${ARN}/*`, `${ARN}/status/*`, 'arn:aws:logs:eu-west-2:1:log-group:agent:*'])(
  'lets the resource %s be',
  (Resource) => {
    expect(found({ Action: 's3:GetObject', Resource })).toEqual([]);
  },
);

it('refuses to allow all but what is named', () => {
  expect(found({ NotAction: 's3:GetObject', NotResource: ARN })).toHaveLength(2);
});

it('finds each wildcard of a list, and none in what is denied', () => {
  expect(found({ Action: ['s3:GetObject', 's3:*'], Resource: [ARN, '*'] })).toHaveLength(2);
  expect(found({ Effect: 'Deny', Action: '*', Resource: '*' })).toEqual([]);
});
