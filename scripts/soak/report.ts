import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { duration, table } from '../cli/table';
import type { SoakRecord, SoakResult } from './record';

const SHOWN = 20;

/** The result as a terminal shows it, and as the file beside the record keeps it. */
export function renderSoak({ record, verdict, passed }: SoakResult): string {
  const violations = verdict.violations.slice(0, SHOWN).map(({ rule, pointId, detail }) => {
    const which = pointId === null ? '' : ` point ${pointId}:`;
    return `VIOLATION ${rule}:${which} ${detail}`;
  });
  return [
    `soak ${record.id}: seed ${record.seed}, ${duration((record.endedAt - record.startedAt) / 1000)}, ${record.rounds.length} rounds`,
    '',
    rounds(record),
    '',
    `faults: ${tally(record.rounds.flatMap((round) => round.faults.map(firstWord)))}`,
    `changes of holder: ${tally(changes(record))}`,
    `requests: ${record.clients.map(({ client, ok, failed }) => `${client} ${ok} ok ${failed} failed`).join(', ')}`,
    `writes: ${verdict.sent} sent, ${verdict.acknowledged} acknowledged, ${verdict.documentedLosses.length} lost as failovers document`,
    `stores looked through: ${record.stores.map(({ site, ids }) => `${site} ${ids.length} points`).join(', ') || 'none'}`,
    `violations: ${verdict.violations.length}`,
    ...violations,
    ...record.leftovers.map((leftover) => `remains: ${leftover}`),
    ...(record.stopped === null ? [] : [`STOPPED: ${record.stopped}`]),
    passed ? 'PASSED' : 'NOT PASSED',
  ].join('\n');
}

function rounds({ rounds: all }: SoakRecord): string {
  return table([
    ['round', 'holder', 'then', 'epoch', 'well after', 'faults'],
    ...all.map((round) => [
      String(round.number),
      round.holderBefore ?? '–',
      round.holderAfter ?? '–',
      String(round.epochAfter ?? '–'),
      duration(round.recoverySeconds),
      [...round.faults, ...(round.interference === null ? [] : [`(a person: ${round.interference})`])].join(
        '; ',
      ),
    ]),
  ]);
}

const firstWord = (words: string): string => words.split(' ')[0] ?? words;

function changes({ lease, startedAt }: SoakRecord): string[] {
  return lease.filter(({ at }) => Date.parse(at) >= startedAt).map(({ cause }) => cause);
}

function tally(words: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  const told = [...counts].sort((a, b) => b[1] - a[1]).map(([word, count]) => `${word} ${count}`);
  return `${words.length} (${told.join(', ') || 'none'})`;
}

/** Writes `<id>.json` and `<id>.txt`; answers their names. */
export async function writeSoak(folder: string, result: SoakResult): Promise<{ json: string; text: string }> {
  await mkdir(folder, { recursive: true });
  const json = path.join(folder, `${result.record.id}.json`);
  const text = path.join(folder, `${result.record.id}.txt`);
  await writeFile(json, `${JSON.stringify(result)}\n`);
  await writeFile(text, `${renderSoak(result)}\n`);
  return { json, text };
}
