/**
 * One of a site's several servers: it follows until it leads, and leads until another may. Beginning to lead is what a
 * start of the agent is elsewhere: the keeper begins with the site's memory, and with nothing of what was before.
 */
import { join } from 'node:path';
import {
  leaderConfig,
  LeaderCopyFile,
  leaderRequestTimeoutMs,
  Leadership,
  type LeaderStore,
} from '../../leadership';
import { systemClock } from '../../lease';
import type { AgentServers } from '../../../infra/contract/site-spec';
import { startSite, type SiteOptions } from '../site';
import { Beside } from './beside';
import { startFollower } from './follower';

export interface SeveralOptions extends Omit<SiteOptions, 'stores' | 'leadership'> {
  /** Made anew for each time of leading, which closes them at its end. */
  readonly stores: () => SiteOptions['stores'];
  readonly servers: AgentServers;
  readonly leaders: LeaderStore;
}

/** File with this server's copy of the site's memory, under the agent's state folder. */
export const LEADER_COPY = 'leader.json';

/** Runs until the signal; rejects when a part cannot be started, for systemd to begin anew. */
export async function runServer(options: SeveralOptions, stop: AbortSignal): Promise<void> {
  const { spec, servers, folders, credentials, logger } = options;
  const config = leaderConfig(spec, servers);
  const beside = new Beside(spec, {
    peerKey: credentials.peerKey,
    timeoutMs: leaderRequestTimeoutMs(config),
    ...(options.peerOrigin === undefined ? {} : { origin: options.peerOrigin }),
  });
  const leadership = new Leadership({
    config,
    store: options.leaders,
    copy: new LeaderCopyFile(join(folders.state, LEADER_COPY), {
      lineage: join(folders.state, 'lineage.json'),
      ledger: join(folders.state, 'ledger.json'),
    }),
    clock: systemClock(),
    requestTimeoutMs: leaderRequestTimeoutMs(config),
    askPromise: (server, term) => beside.promise(server, servers.own, term),
    tell: (kind, detail) =>
      kind === 'alert'
        ? logger.error({ leadership: true }, detail)
        : logger.info({ leadership: true }, detail),
  });
  const ended = new Promise<void>((resolve) => {
    if (stop.aborted) resolve();
    stop.addEventListener('abort', () => resolve(), { once: true });
  });
  await leadership.start();
  try {
    while (!stop.aborted) {
      const follower = await startFollower({ ...options, leadership, beside });
      await Promise.race([leadership.until(() => leadership.leads), ended]);
      await follower.stop();
      const { term } = leadership;
      if (stop.aborted || term === null) continue;
      const site = await startSite({ ...options, stores: options.stores(), leadership });
      await Promise.race([leadership.until(() => leadership.term !== term), ended]);
      await site.stop();
    }
  } finally {
    await leadership.stop();
    await beside.close();
  }
}
