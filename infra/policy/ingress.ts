import { type Finding, resourceRule } from './rule';
import { at, isSurelyNot, listOf, tell, UNKNOWN, type Value } from './values';

const HTTPS_PORT = 443;
const RULE = 'aws:ec2/securityGroupRule:SecurityGroupRule';
const INGRESS_RULE = 'aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule';

/** TCP also goes by its number. */
function open(protocol: Value, fromPort: Value, toPort: Value): Finding[] {
  const others =
    isSurelyNot(protocol, 'tcp', 'TCP', '6', 6) ||
    isSurelyNot(fromPort, HTTPS_PORT) ||
    isSurelyNot(toPort, HTTPS_PORT);
  if (!others) return [];
  return [
    {
      found: `ingress of protocol ${tell(protocol)}, ports ${tell(fromPort)} to ${tell(toPort)}`,
      expected: `"tcp", ports ${HTTPS_PORT} to ${HTTPS_PORT}, and nothing else`,
      remedy:
        'Remove the rule: servers are reached through their edge, and by people through Session Manager',
    },
  ];
}

export const ingressRules = [
  resourceRule({
    name: 'ingress-https-only',
    description: 'Security groups let in HTTPS and nothing else.',
    types: [
      INGRESS_RULE,
      RULE,
      'aws:ec2/securityGroup:SecurityGroup',
      'aws:ec2/defaultSecurityGroup:DefaultSecurityGroup',
    ],
    check: ({ type, props }) => {
      const { fromPort, toPort, ingress } = props;
      if (type === INGRESS_RULE) return open(props['ipProtocol'], fromPort, toPort);
      if (type === RULE)
        return isSurelyNot(props['type'], 'ingress') ? [] : open(props['protocol'], fromPort, toPort);
      return (ingress === UNKNOWN ? [] : listOf(ingress)).flatMap((rule) =>
        open(at(rule, 'protocol'), at(rule, 'fromPort'), at(rule, 'toPort')),
      );
    },
  }),
];
