import { resourceRule } from './rule';
import { at, isSurelyNot, tell } from './values';

export const metadataRules = [
  resourceRule({
    name: 'imdsv2-required',
    description:
      "Instances' metadata, with the role's credentials, is told only to who asks with a session's token.",
    types: ['aws:ec2/instance:Instance', 'aws:ec2/launchTemplate:LaunchTemplate'],
    check: ({ props }) => {
      const tokens = at(props, 'metadataOptions', 'httpTokens');
      if (!isSurelyNot(tokens, 'required')) return [];
      return [
        {
          found: `metadataOptions.httpTokens ${tell(tokens)}`,
          expected: '"required" (IMDSv2): a forged request must not obtain the credentials of the role',
          remedy: "Set metadataOptions to { httpEndpoint: 'enabled', httpTokens: 'required' }",
        },
      ];
    },
  }),
];
