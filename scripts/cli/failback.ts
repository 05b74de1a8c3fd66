/**
 * Failback, as a loop that looks at the state and does what comes next. It keeps nothing of its own, so it can be
 * interrupted anywhere and called again: re-protect the target if it is fenced, wait until it could take over, hand
 * the lease over with everything written.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { RefusedError, SiteFailedError, TimedOutError, UnreachableError } from './errors';
import { isHolding, listed, type SiteView } from './overview';
import type { SitePort } from './site-client';
import { describe } from './errors';

export interface FailbackOptions {
  readonly by: string;
  readonly reason: string;
  /** How long to wait for the target to be reachable, re-protected and promotable. */
  readonly waitSeconds: number;
  readonly pollSeconds?: number;
  readonly onStep: (step: string) => void;
  readonly signal?: AbortSignal;
}

export interface FailbackResult {
  /** False when the target held the lease already. */
  readonly switched: boolean;
  readonly epoch: number | null;
  readonly holder: string;
}

export type FailbackStep =
  | { readonly do: 'nothing' }
  | { readonly do: 'wait'; readonly why: string }
  | { readonly do: 'reprotect' }
  | { readonly do: 'switch'; readonly holder: string };

/** What comes next for handing the lease to `target`, from what the sites say. */
export function nextFailbackStep(target: string, views: readonly SiteView[]): FailbackStep {
  const wanted = views.find((view) => view.site === target);
  const holder = views.find((view) => view.site !== target && view.status !== null && isHolding(view.status));
  if (wanted?.status == null) return { do: 'wait', why: `${target} gives no answer` };
  const { status } = wanted;
  if (isHolding(status) && holder === undefined) {
    return status.ready
      ? { do: 'nothing' }
      : { do: 'wait', why: `${target} holds the lease and is not ready yet` };
  }
  if (holder === undefined) return { do: 'wait', why: 'no site that answers holds the lease' };
  if (status.busy !== null) return { do: 'wait', why: `${target} is busy: ${status.busy}` };
  switch (status.state) {
    case 'fenced':
    case 're-protecting': // and not busy: an earlier re-protection was interrupted, or failed
      return { do: 'reprotect' };
    case 'standby':
      if (!status.promotable.promotable) {
        return { do: 'wait', why: `${target} could not take over yet: ${listed(status.promotable.reasons)}` };
      }
      return { do: 'switch', holder: holder.site };
    case 'unknown':
    case 'active':
    case 'unprotected':
      return { do: 'wait', why: `${target} is ${status.state}` };
  }
}

export async function failback(
  target: string,
  sites: readonly SitePort[],
  options: FailbackOptions,
): Promise<FailbackResult> {
  const deadline = Date.now() + options.waitSeconds * 1000;
  const request = { by: options.by, reason: options.reason };
  const switched: { epoch: number | null } = { epoch: null };
  // Reasons take turns (busy, still loading, busy …): each is told once a minute.
  const said = new Map<string, number>();
  const say = (step: string): void => {
    if (Date.now() - (said.get(step) ?? 0) > 60_000) {
      said.set(step, Date.now());
      options.onStep(step);
    }
  };
  for (;;) {
    options.signal?.throwIfAborted();
    const views = await Promise.all(sites.map((site) => look(site)));
    const step = nextFailbackStep(target, views);
    let why: string;
    switch (step.do) {
      case 'nothing':
        return {
          switched: switched.epoch !== null,
          epoch: switched.epoch ?? epochOf(views, target),
          holder: target,
        };
      case 'wait':
        why = step.why;
        say(`waiting: ${step.why}`);
        break;
      case 'reprotect':
        say(`re-protecting ${target} from the holder's data`);
        why = await attempt(() => port(sites, target).reprotect(request), say);
        break;
      case 'switch':
        say(`handing the lease from ${step.holder} to ${target}: last publish, apply, hand-over`);
        why = await attempt(async () => {
          switched.epoch = (await port(sites, step.holder).switch(request)).epoch;
        }, say);
        break;
    }
    if (Date.now() > deadline) {
      throw new TimedOutError(
        `failback to ${target} did not get through within ${options.waitSeconds} s: ${why}`,
        {
          next: [
            'nothing was lost and the holder goes on; mend what is named and call `failover failback` again',
          ],
        },
      );
    }
    await delay(
      (options.pollSeconds ?? 1) * 1000,
      undefined,
      options.signal ? { signal: options.signal } : {},
    );
  }
}

/** A refusal or a broken connection is looked at again: the state decides what comes next, until time is up. */
async function attempt(action: () => Promise<void>, say: (step: string) => void): Promise<string> {
  try {
    await action();
    return 'done, waiting for the site to show it';
  } catch (error) {
    if (error instanceof RefusedError) {
      const why = `refused: ${listed(error.reasons)}`;
      say(why);
      return why;
    }
    if (error instanceof UnreachableError || error instanceof SiteFailedError) {
      say(error.message);
      return error.message;
    }
    throw error;
  }
}

async function look(site: SitePort): Promise<SiteView> {
  const base = { site: site.site.site, addresses: site.site.addresses };
  try {
    const { status, clockAheadSeconds } = await site.status();
    return { ...base, status, silence: null, clockAheadSeconds };
  } catch (error) {
    return { ...base, status: null, silence: describe(error), clockAheadSeconds: null };
  }
}

function port(sites: readonly SitePort[], name: string): SitePort {
  const found = sites.find((site) => site.site.site === name);
  if (found === undefined) throw new UnreachableError(`the context knows no site ${name}`);
  return found;
}

function epochOf(views: readonly SiteView[], site: string): number | null {
  return views.find((view) => view.site === site)?.status?.lease?.epoch ?? null;
}
