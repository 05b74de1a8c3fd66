import type { Reason } from '../../infra/contract/agent-api';
import { AgentError } from '../shared/errors';

/** The store gave no usable answer; what became of a write is not known. */
export class StoreUnreachableError extends AgentError {
  readonly code = 'STORE_UNREACHABLE';
  constructor(operation: string, cause: unknown) {
    super(`the object store should have answered "${operation}" and did not`, { cause });
  }
}

/** The lease object is there and is not a lease. It is never overwritten; a person looks at it and removes it. */
export class LeaseCorruptError extends AgentError {
  readonly code = 'LEASE_CORRUPT';
  constructor(found: string, cause?: unknown) {
    super(
      `lease.json should be a lease and is not: ${found}. Look at the object and its history; ` +
        'once it is deleted the active site writes it anew, or promote a site if none is active',
      { cause },
    );
  }
}

/** A site remembers nothing of this format; it must not guess whether it was fenced. */
export class PersistedStateCorruptError extends AgentError {
  readonly code = 'PERSISTED_STATE_CORRUPT';
  constructor(file: string, cause: unknown) {
    super(
      `${file} should hold this site's lease memory and cannot be read. Without it the site cannot know whether it ` +
        'is fenced: restore the file, or move it away and re-protect the site',
      { cause },
    );
  }
}

/** A promotion or a planned switch was not done; nothing has changed unless the message says so. */
export class SwitchRefusedError extends AgentError {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }

  static from(reason: Reason): SwitchRefusedError {
    return new SwitchRefusedError(reason.code, reason.message);
  }
}
