/** After a failback: what the lost holder had set aside in this drill comes back, the holder's points kept on conflict. */
import { DrillAbortedError, describe } from '../cli/errors';
import { findDiverged, mergeSet, unmerged } from '../cli/merge';
import { isHolding } from '../cli/overview';
import type { SitePort } from '../cli/site-client';

export interface DrillMergeOptions {
  readonly by: string;
  readonly reason: string;
  readonly onStep: (text: string) => void;
  readonly signal: AbortSignal;
}

/**
 * @param at the site that was lost
 * @param sinceEpoch what was set aside under it or an earlier one is not of this drill
 * @returns false when there was nothing to merge
 */
export async function mergeAfterDrill(
  sites: readonly SitePort[],
  at: string,
  sinceEpoch: number | null,
  options: DrillMergeOptions,
): Promise<boolean> {
  const sets = unmerged(
    await findDiverged(sites, (error) => options.onStep(`not asked: ${describe(error)}`)),
  );
  const own = sets.filter(
    (set) => set.at.site.site === at && set.summary.epoch > (sinceEpoch ?? Number.POSITIVE_INFINITY),
  );
  if (own.length === 0) return false;
  const holder = await holderOf(sites);
  for (const set of own) {
    const { applied, present, conflicts } = await mergeSet(set, holder, {
      ...options,
      policy: 'keep-holder',
    });
    options.onStep(
      `merged what only ${at} had: ${applied} applied, ${present} there already, ${conflicts} conflicts`,
    );
  }
  return true;
}

async function holderOf(sites: readonly SitePort[]): Promise<SitePort> {
  for (const site of sites) if (isHolding((await site.status()).status)) return site;
  throw new DrillAbortedError('no site holds the lease: nothing can be merged');
}
