/** Brings what has just been written to the standby, and waits until it says that it has it. */
import { DrillAbortedError, describe } from '../cli/errors';
import { listed } from '../cli/overview';
import type { SitePort } from '../cli/site-client';
import type { DrillClock } from './clock';

const POLL_MS = 500;

/** Publish ids begin with the epoch and the time, so that later ones compare greater. */
export function covers(appliedId: string | undefined, publishedId: string): boolean {
  return appliedId !== undefined && appliedId >= publishedId;
}

/** Publishes at the holder, then waits for that publish (or a later one) at the standby; answers its id. */
export async function replicate(
  sites: readonly SitePort[],
  from: string,
  to: string,
  limitSeconds: number,
  clock: DrillClock,
  signal: AbortSignal,
): Promise<string> {
  const holder = sites.find((port) => port.site.site === from);
  const standby = sites.find((port) => port.site.site === to);
  if (holder === undefined || standby === undefined)
    throw new DrillAbortedError(`the context lacks ${from} or ${to}`);
  const deadline = clock.now() + limitSeconds * 1000;
  let why = 'nothing tried yet';
  let published: string | null = null;
  for (;;) {
    signal.throwIfAborted();
    try {
      if (published === null) {
        const outcome = await holder.publish();
        if ('done' in outcome) published = outcome.done.id;
        else why = `${from} skipped the publish: ${listed([outcome.skipped])}`;
      } else {
        const applied = (await standby.status()).status.applied?.id;
        if (covers(applied, published)) return published;
        why = `${to} has applied ${applied ?? 'nothing'}, not yet ${published}`;
        const outcome = await standby.apply();
        if ('skipped' in outcome) why = `${why}; ${listed([outcome.skipped])}`;
        else if (covers(outcome.done.id, published)) return published;
      }
    } catch (error) {
      why = describe(error);
    }
    if (clock.now() > deadline) {
      throw new DrillAbortedError(`the seeds did not reach ${to} within ${limitSeconds} s: ${why}`, {
        next: ['look at `failover status`: publish and apply must work before a drill means anything'],
      });
    }
    await clock.delay(POLL_MS, signal);
  }
}
