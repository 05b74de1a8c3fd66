import { setTimeout as delay } from 'node:timers/promises';

/** Waits for a condition of the outside world; fails after a minute. */
export async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('the condition did not come true within a minute');
    await delay(50);
  }
}
