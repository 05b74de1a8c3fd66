import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { LockTimeoutError } from './errors';

/**
 * Takes the lock for as long as this process lives. The kernel's own lock is held by a child that waits for our end of a
 * pipe: however we die the pipe closes, the child goes and the lock with it, so there is never a stale one.
 */
export async function takeLock(path: string, waitSeconds: number): Promise<() => Promise<void>> {
  const child = spawn(
    'flock',
    ['--exclusive', '--wait', String(waitSeconds), path, 'sh', '-c', 'echo locked; exec cat >/dev/null'],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const ended = once(child, 'close');
  const locked = await Promise.race([once(child.stdout, 'data').then(() => true), ended.then(() => false)]);
  if (!locked) {
    child.stdin.destroy();
    throw new LockTimeoutError(
      `another apply or remove has held ${path} for ${waitSeconds} s: wait for it, or look what it does with ` +
        `"fuser -v ${path}"`,
    );
  }
  return async () => {
    child.stdin.end();
    await ended;
  };
}
