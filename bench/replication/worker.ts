/** One step of one method, in the network that it is started in: `worker METHOD STEP`, its input on standard input. */
import { text } from 'node:stream/consumers';
import type { MethodInput } from './methods/method';
import * as full from './methods/full-snapshot';
import * as ours from './methods/ours';
import * as scroll from './methods/scroll-upsert';
import { changeData, checkData, createData, type ChoreInput } from './chores';
import { watchReads } from './reads';

const STEPS: Readonly<Record<string, (input: MethodInput) => Promise<void>>> = {
  'ours publish': ours.publish,
  'ours apply': ours.apply,
  'full publish': full.publish,
  'full apply': full.apply,
  'scroll copy': scroll.copy,
};

/** Done between the measured steps. */
const CHORES: Readonly<Record<string, (input: ChoreInput) => Promise<void>>> = {
  'data create': createData,
  'data change': changeData,
  'data check': checkData,
};

async function main(): Promise<void> {
  const words = process.argv.slice(2).join(' ');
  if (words === 'reads watch') {
    await watchReads();
    return;
  }
  const input: unknown = JSON.parse(await text(process.stdin));
  const started = performance.now();
  const step = STEPS[words];
  const chore = CHORES[words];
  if (step !== undefined) await step(input as MethodInput);
  else if (chore !== undefined) await chore(input as ChoreInput);
  else throw new Error(`there is no step ${words}`);
  process.stdout.write(`${JSON.stringify({ seconds: (performance.now() - started) / 1000 })}\n`);
}

main().then(
  () => process.exit(0), // a client's idle connections would keep it
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(1);
  },
);
