import { serviceHostOf, witnessHostOf } from '../names';
import { duplicates, none, onlyOn, required, type Rule, when } from './rule';

/** Rules on where everything is and who may reach it. */
export const worldRules: readonly Rule[] = [
  required('stackKind', 'site or witness'),
  required('zone', 'the DNS zone that the witness serves, such as ai.example.com'),
  {
    reads: ['zone', 'serviceHost', 'witnessHost', 'sites'],
    check: (config) => {
      if (config.zone === '') return none;
      const names = [
        { key: 'serviceHost', name: serviceHostOf(config) },
        { key: 'witnessHost', name: witnessHostOf(config) },
        ...config.sites.map(({ host }, index) => ({ key: `sites[${index}].host`, name: host })),
      ];
      const outside = names.filter(({ name }) => !name.endsWith(`.${config.zone}`));
      const twice = new Set(duplicates(names.map(({ name }) => name)));
      return [
        ...outside.map(({ key, name }) => ({
          key,
          got: name,
          allowed: `a name inside the zone ${config.zone}`,
        })),
        ...names
          .filter(({ name }) => twice.has(name))
          .map(({ key, name }) => ({ key, got: name, allowed: 'a name that nothing else has' })),
      ];
    },
  },
  required('managementCidrs', 'the networks from which operators work, such as 198.51.100.0/24'),
  {
    reads: ['managementCidrs'],
    check: ({ managementCidrs }) =>
      when(
        managementCidrs.some((cidr) => cidr.endsWith('/0')),
        {
          key: 'managementCidrs',
          got: managementCidrs,
          allowed: 'named networks; SSH is never open to the whole internet',
        },
      ),
  },
  {
    reads: ['witnessPlatform', 'witnessAddresses'],
    check: ({ witnessPlatform, witnessAddresses }) =>
      when((witnessPlatform === 'dedicated') !== witnessAddresses.length > 0, {
        key: 'witnessAddresses',
        got: witnessAddresses,
        allowed: 'the public addresses of the witness on a dedicated server, and none elsewhere',
      }),
  },
  required('clientCidrs', 'the networks of clients; 0.0.0.0/0 and ::/0 for anyone'),
  required('resolverCidrs', 'the networks of resolvers; 0.0.0.0/0 and ::/0 for anyone'),
];

/** Rules on stacks whose servers exist already. */
export const dedicatedRules: readonly Rule[] = onlyOn('dedicated', [
  {
    reads: ['servers'],
    check: ({ servers }) =>
      when(servers.length === 0, {
        key: 'servers',
        got: servers,
        allowed: 'one server or more as {name, address, hostKey}',
      }),
  },
  {
    kind: 'witness',
    reads: ['servers'],
    check: ({ servers }) =>
      when(servers.length > 1, {
        key: 'servers',
        got: servers.map(({ name }) => name),
        allowed: 'one server: the witness is one',
      }),
  },
  {
    kind: 'site',
    reads: ['servers', 'site', 'sites'],
    check: (config) => {
      const own = config.sites.find(({ site }) => site === config.site);
      const { servers } = config;
      return when(own !== undefined && servers.length > 1 && own.addresses.length !== servers.length, {
        key: 'servers',
        got: servers.map(({ name }) => name),
        allowed: `as many servers as ${own?.site ?? 'the site'} has addresses in \`sites\` (${own?.addresses.join(', ') ?? ''}), in the same order`,
      });
    },
  },
  {
    reads: ['servers'],
    check: ({ servers }) => {
      const twice = duplicates(servers.flatMap(({ name, address }) => [name, address]));
      return when(twice.length > 0, { key: 'servers', got: twice, allowed: 'each server once' });
    },
  },
]);
