import { resourceRule } from './rule';
import { at, isMissing, isObject, isSurelyNot, listOf, tell, UNKNOWN } from './values';

export const secretRules = [
  resourceRule({
    name: 'secrets-replicated',
    description: 'Secrets are readable in another region when their own is lost.',
    types: ['aws:secretsmanager/secret:Secret'],
    check: ({ props }) => {
      const { region, replicas } = props;
      if (replicas === UNKNOWN) return [];
      const regions = listOf(replicas).map((replica) => at(replica, 'region'));
      // A region that is not given is the provider's, which no rule sees.
      const elsewhere = regions.filter((other) => !isMissing(other) && isSurelyNot(other, region));
      if (elsewhere.length > 0 || regions.includes(UNKNOWN)) return [];
      const copies = listOf(replicas).filter(isObject).length;
      return [
        {
          found:
            copies === 0
              ? 'a secret without replicas'
              : `a secret whose replicas are all in its own region, ${tell(region)}`,
          expected: 'a replica in another region: servers there need it when this one is lost',
          remedy: 'Add { region, kmsKeyId } of the other site to replicas',
        },
      ];
    },
  }),
];
