/** Setting aside and merging as the agents do it, over a fake site's points; without bases, so a difference is a conflict. */
import type { MergePolicy, MergeOutcome, MergeResponse } from '../../infra/contract/agent-api';
import type { FakeSite } from './fake-site';

export interface DivergedInput {
  readonly epoch: number;
  readonly lines: readonly string[];
  readonly policy: MergePolicy;
  readonly by: string;
  readonly reason: string;
  readonly outcome: MergeOutcome;
}

interface Line {
  readonly collection: string;
  readonly id: number;
  readonly vector: unknown;
}

export function setAside(site: FakeSite, holder: FakeSite, epoch: number): void {
  const lines: Line[] = [];
  let inserted = 0;
  for (const [collection, { points }] of site.data) {
    const there = holder.data.get(collection)?.points;
    for (const [id, vector] of points) {
      if (JSON.stringify(there?.get(id)) === JSON.stringify(vector)) continue;
      if (there?.has(id) !== true) inserted += 1;
      lines.push({ collection, id, vector });
    }
  }
  const counts = { inserted, changed: lines.length - inserted, deleted: 0, unknown: 0, collections: 0 };
  const at = new Date().toISOString();
  site.setAside.push({
    summary: { epoch, at, folder: '/set-aside', counts, base: null, merged: null },
    lines: lines.map((line) => JSON.stringify(line)),
  });
}

/** @param loses of how many more points it is said that they are applied, although they are not */
export function divergedCommand(
  site: FakeSite,
  what: string,
  input: DivergedInput,
  loses: { mergeLoses: number },
): [number, unknown] {
  const set = site.setAside.find(({ summary }) => summary.epoch === input.epoch);
  if (what === 'diverged/page') {
    // One line a page: whoever reads them has to go on until the end.
    const at = (input as unknown as { offset: number }).offset;
    const lines = set?.lines ?? [];
    return [200, { lines: lines.slice(at, at + 1), next: at + 1 < lines.length ? at + 1 : null }];
  }
  if (what === 'merge') return site.holds ? [200, merge(site, input, loses)] : [409, notHolder(site)];
  if (what === 'diverged/merged' && set !== undefined) {
    const { by, reason, policy, outcome } = input;
    set.summary = { ...set.summary, merged: { at: new Date().toISOString(), by, reason, policy, outcome } };
  }
  return [200, { diverged: site.setAside.map(({ summary }) => summary) }];
}

function merge(
  site: FakeSite,
  { lines, policy }: DivergedInput,
  loses: { mergeLoses: number },
): MergeResponse {
  const outcome = { applied: 0, present: 0, conflicts: 0 };
  const conflicts: MergeResponse['conflicts'][number][] = [];
  for (const { collection, id, vector } of lines.map((line) => JSON.parse(line) as Line)) {
    const points = site.data.get(collection)?.points;
    const here = points?.get(id);
    if (JSON.stringify(here) === JSON.stringify(vector)) {
      outcome.present += 1;
    } else if (here === undefined) {
      outcome.applied += 1;
      if (policy === 'list') continue;
      if (loses.mergeLoses > 0) loses.mergeLoses -= 1;
      else points?.set(id, vector);
    } else {
      outcome.conflicts += 1;
      conflicts.push({ collection, id: String(id), why: 'changed there, changed at the holder' });
      if (policy === 'keep-diverged') points?.set(id, vector);
    }
  }
  return { outcome, conflicts };
}

function notHolder(site: FakeSite): unknown {
  return { error: { code: 'NOT_HOLDER', message: `${site.name} does not hold the lease` } };
}
