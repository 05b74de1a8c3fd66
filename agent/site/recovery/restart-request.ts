/** Asks root's unit to restart the engine. The file says everything by being there; nobody reads it. */
import { mkdir, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AgentError } from '../../shared/errors';
import { codeOf } from '../errors';

export class RestartNotTakenError extends AgentError {
  readonly code = 'RESTART_NOT_TAKEN';
}

export class RestartRequest {
  constructor(private readonly path: string) {}

  /** Throws {@link RestartNotTakenError} when the last request is still there. */
  async ask(): Promise<void> {
    // Under systemd the folder is there already.
    await mkdir(dirname(this.path), { recursive: true });
    try {
      await (await open(this.path, 'wx', 0o600)).close();
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
      throw new RestartNotTakenError(
        `the last request to restart the engine is still at ${this.path}: ` +
          'look at systemctl status failover-engine-restart.path failover-engine-restart.service',
        { cause: error },
      );
    }
  }

  async withdraw(): Promise<void> {
    await rm(this.path, { force: true });
  }
}
