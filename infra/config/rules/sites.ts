import { closest } from '../suggest';
import { duplicates, none, required, type Rule, when } from './rule';

/** Rules on the two sites. */
export const siteRules: readonly Rule[] = [
  {
    reads: ['sites'],
    check: ({ sites }) =>
      when(sites.length !== 2, {
        key: 'sites',
        got: sites.map(({ site }) => site),
        allowed: 'exactly two sites as {site, host, addresses}',
      }),
  },
  {
    reads: ['sites'],
    check: ({ sites }) => {
      const twice = duplicates(sites.map(({ site }) => site));
      return when(twice.length > 0, {
        key: 'sites',
        got: twice,
        allowed: 'each site once: a site is not its own peer',
      });
    },
  },
  {
    reads: ['sites', 'witnessAddresses'],
    check: ({ sites, witnessAddresses }) => {
      const twice = duplicates([
        ...sites.flatMap(({ addresses }) => [...new Set(addresses)]),
        ...new Set(witnessAddresses),
      ]);
      return when(twice.length > 0, {
        key: 'sites',
        got: twice,
        allowed: 'addresses that belong to one site only, and not to the witness, which must stand apart',
      });
    },
  },
  {
    reads: ['sites', 'initialSite'],
    check: ({ sites, initialSite }) =>
      when(initialSite !== '' && !sites.some(({ site }) => site === initialSite), {
        key: 'initialSite',
        got: initialSite,
        allowed: sites.map(({ site }) => site).join(' or '),
      }),
  },
  required('site', 'the name of one of `sites`', 'site'),
  {
    kind: 'site',
    reads: ['site', 'sites'],
    check: ({ site, sites }) => {
      const names = sites.map((entry) => entry.site);
      if (site === '' || names.includes(site)) return none;
      const meant = closest(site, names);
      return [
        {
          key: 'site',
          got: site,
          allowed: `one of \`sites\` (${names.join(', ') || 'none yet'})`,
          ...(meant === undefined ? {} : { fix: `Did you mean ${meant}?` }),
        },
      ];
    },
  },
];
