/** A reader of the standby, who finds out for how long nothing can be read while a copy is put in place. */
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { COLLECTION } from './data';
import { API_KEY } from './settings';

const PAUSE_MS = 10;
const TIMEOUT_MS = 2_000;

export interface Read {
  readonly startedAt: number;
  readonly endedAt: number;
  readonly ok: boolean;
}

export interface ReadsTold {
  readonly unreadableSeconds: number;
  readonly reads: number;
}

/** From the start of each read that failed to the end of the next one that did not, or of the last one. */
export function unreadableSeconds(reads: readonly Read[]): number {
  let total = 0;
  let since: number | null = null;
  for (const { startedAt, endedAt, ok } of reads) {
    if (!ok) since ??= startedAt;
    else if (since !== null) {
      total += endedAt - since;
      since = null;
    }
  }
  const last = reads[reads.length - 1];
  if (since !== null && last !== undefined) total += last.endedAt - since;
  return total / 1000;
}

/** Reads a point again and again until standard input ends; says `reading` at the first, and what it saw at the end. */
export async function watchReads(): Promise<void> {
  const lines = createInterface(process.stdin)[Symbol.asyncIterator]();
  const { port } = JSON.parse(String((await lines.next()).value)) as { port: number };
  let ended = false;
  const end = lines.next().then(() => (ended = true));
  const reads: Read[] = [];
  while (!ended) {
    const startedAt = performance.now();
    const ok = await readOne(port);
    reads.push({ startedAt, endedAt: performance.now(), ok });
    if (reads.length === 1) process.stdout.write('"reading"\n');
    await Promise.race([delay(PAUSE_MS), end]);
  }
  process.stdout.write(
    `${JSON.stringify({ unreadableSeconds: unreadableSeconds(reads), reads: reads.length })}\n`,
  );
}

async function readOne(port: number): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/collections/${COLLECTION}/points/scroll`, {
      method: 'POST',
      headers: { 'api-key': API_KEY, 'content-type': 'application/json' },
      body: '{"limit":1}',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const body = (await answer.json()) as { result?: { points?: unknown[] } };
    return answer.ok && body.result?.points?.length === 1;
  } catch {
    return false; // no answer, or half of one: a client cannot read
  }
}
