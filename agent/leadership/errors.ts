import { AgentError } from '../shared/errors';

/** What says who leads a site is there and cannot be read. It is never overwritten. */
export class LeaderCorruptError extends AgentError {
  readonly code = 'LEADER_CORRUPT';
  constructor(where: string, found: string, cause?: unknown) {
    super(
      `${where} should say who leads the site and does not: ${found}. Put back the newest ` +
        "leader.json of the site's servers (docs/server.md, Several servers)",
      { cause },
    );
  }
}

/** Something was to be remembered by a server that does not lead, or no longer. */
export class NotLeadingError extends AgentError {
  readonly code = 'NOT_LEADING';
  constructor(server: string) {
    super(`${server} does not lead its site any more; another server has gone on, or will in a moment`);
  }
}

/** The memory could not be brought to the store; the same may be tried again. */
export class MemoryNotSavedError extends AgentError {
  readonly code = 'MEMORY_NOT_SAVED';
  constructor(detail: string) {
    super(`the site's memory did not reach the object store (${detail}); it is tried again`);
  }
}

/** The site had several servers: what it remembers is in the store, and this server's own files are of long ago. */
export class SiteShrunkError extends AgentError {
  readonly code = 'SITE_SHRUNK';
  constructor(file: string) {
    super(
      `this site had several servers and is configured with one: ${file} and leaders/ in the lease bucket hold its ` +
        'memory, which a single server does not read. Make the other site active, then start this one with an empty ' +
        'state folder and re-protect it',
    );
  }
}
