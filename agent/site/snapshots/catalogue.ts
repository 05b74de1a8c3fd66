/** What can be restored: the publishes of all sites that the store still has, and which of them a person means. */
import type { PublishListing } from '../../../infra/contract/agent-api';
import { SkippedError } from '../errors';
import { publishTime } from './history';
import { ManifestInvalidError, publishInfo } from './manifest';
import { PublishMissingError, type SnapshotStore } from './store';

const AT_ONCE = 8;

/** Newest first. One that is being pruned, or that another release made, is left out. */
export async function catalogue(store: SnapshotStore, sites: readonly string[]): Promise<PublishListing[]> {
  const latest = (await store.readLatest())?.pointer.publishId ?? null;
  const found: PublishListing[] = [];
  for (const site of sites) {
    const ids = await store.listPublishes(site);
    for (let at = 0; at < ids.length; at += AT_ONCE) {
      const some = ids.slice(at, at + AT_ONCE).map((id) => describe(store, site, id, latest));
      for (const listing of await Promise.all(some)) if (listing !== null) found.push(listing);
    }
  }
  return found.sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0));
}

/**
 * @param at a publish's id, or a time: then the newest publish that is not younger
 */
export function choose(listings: readonly PublishListing[], at: string): PublishListing {
  const named = listings.find(({ id }) => id === at);
  if (named !== undefined) return named;
  const time = Date.parse(at);
  if (Number.isNaN(time)) {
    throw new SkippedError(
      'NO_SUCH_PUBLISH',
      `${at} is neither a publish in the store nor a time such as 2026-01-31T08:00:00Z. \`failover publishes\` lists what there is.`,
    );
  }
  const fit = listings.find((listing) => Date.parse(listing.at) <= time);
  if (fit !== undefined) return fit;
  const oldest = listings.at(-1);
  throw new SkippedError(
    'NO_SUCH_PUBLISH',
    `Nothing was published up to ${at}${oldest === undefined ? '' : `; the oldest publish is of ${oldest.at}`}. \`failover publishes\` lists what there is.`,
  );
}

async function describe(
  store: SnapshotStore,
  site: string,
  id: string,
  latest: string | null,
): Promise<PublishListing | null> {
  try {
    const { manifest } = await store.readManifest(site, id);
    const at = publishTime(id);
    if (at === null) return null;
    return { ...publishInfo(manifest), at: new Date(at).toISOString(), latest: id === latest };
  } catch (error) {
    if (error instanceof PublishMissingError || error instanceof ManifestInvalidError) return null;
    throw error;
  }
}
