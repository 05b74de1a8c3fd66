/**
 * Merging what only one site had: its list, page by page, to the agent that holds the lease, which judges each point
 * against its own data. Nothing is kept here, so it can be interrupted anywhere and called again.
 */
import type {
  DivergedCounts,
  DivergedSummary,
  MergeOutcome,
  MergePolicy,
  MergeResponse,
} from '../../infra/contract/agent-api';
import type { SitePort } from './site-client';

/** One list at the site that made it. */
export interface DivergedSet {
  readonly at: SitePort;
  readonly summary: DivergedSummary;
}

export type Conflict = MergeResponse['conflicts'][number];

export interface MergeOptions {
  readonly policy: MergePolicy;
  readonly by: string;
  readonly reason: string;
  readonly onConflict?: (conflict: Conflict) => void;
  readonly signal?: AbortSignal;
}

/** Of every site that answers; one that does not is told of. */
export async function findDiverged(
  sites: readonly SitePort[],
  onSilence: (error: unknown) => void,
): Promise<DivergedSet[]> {
  const found = await Promise.all(
    sites.map(async (at) => {
      try {
        return (await at.diverged()).map((summary) => ({ at, summary }));
      } catch (error) {
        onSilence(error);
        return [];
      }
    }),
  );
  return found.flat();
}

/** Operations on the list; null when the data were set aside without one. */
export function operationsOf(counts: DivergedCounts | null): number | null {
  if (counts === null) return null;
  return counts.inserted + counts.changed + counts.deleted + counts.unknown + counts.collections;
}

/** Those that wait for somebody's decision. */
export function unmerged(sets: readonly DivergedSet[]): DivergedSet[] {
  return sets.filter(({ summary }) => summary.merged === null && (operationsOf(summary.counts) ?? 0) > 0);
}

/** Each line as it was written, in order. */
export async function* linesOf(set: DivergedSet, signal?: AbortSignal): AsyncGenerator<readonly string[]> {
  for (let offset: number | null = 0; offset !== null;) {
    signal?.throwIfAborted();
    const page: { lines: readonly string[]; next: number | null } = await set.at.divergedPage({
      epoch: set.summary.epoch,
      offset,
    });
    yield page.lines;
    offset = page.next;
  }
}

/** Sends the whole list to the holder and, unless it was only looked at, notes what came of it where the list is. */
export async function mergeSet(
  set: DivergedSet,
  holder: SitePort,
  options: MergeOptions,
): Promise<MergeOutcome> {
  const { policy, by, reason } = options;
  const total = { applied: 0, present: 0, conflicts: 0 };
  let first = true;
  for await (const lines of linesOf(set, options.signal)) {
    const { outcome, conflicts } = await holder.merge({ lines, policy, by, reason, first });
    first = false;
    total.applied += outcome.applied;
    total.present += outcome.present;
    total.conflicts += outcome.conflicts;
    for (const conflict of conflicts) options.onConflict?.(conflict);
  }
  if (policy !== 'list') {
    await set.at.divergedMerged({ epoch: set.summary.epoch, by, reason, policy, outcome: total });
  }
  return total;
}
