/** Where tests put their files: in memory where there is such a place, because durable writes wait for disks. */
import { accessSync, constants } from 'node:fs';
import { tmpdir } from 'node:os';

export function scratchFolder(): string {
  try {
    accessSync('/dev/shm', constants.W_OK);
    return '/dev/shm';
  } catch {
    // Not on this machine.
    return tmpdir();
  }
}
