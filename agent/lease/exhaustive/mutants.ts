/** Each rule of the lease taken away in turn, and what notices: `make mutants`. Ends with 1 where nothing does. */
import * as fc from 'fast-check';
import { NO_MUTATION, type Mutation } from '../simulation/mutation';
import { MUTANTS } from '../simulation/mutants';
import { plan } from '../simulation/plan';
import { World } from '../simulation/world';
import { search } from './search';

const RUNS = 4000;
const SEED = 20_240_229;

/** One thing that goes wrong is enough for most; the simulation is quicker than two. */
const BOUNDS = { budget: 1, ticks: 12 };

function bySearch(mutant: Mutation): string | null {
  const { broken, worlds, trace } = search(BOUNDS, mutant);
  return broken === null
    ? null
    : `search, world ${worlds}: ${broken.rule} (${trace.join(', ') || 'nothing went wrong'})`;
}

function bySimulation(mutant: Mutation): string | null {
  let runs = 0;
  let rule: string | null = null;
  fc.check(
    fc.property(plan, mutant.focus ?? fc.constant({}), (any, focus) => {
      if (rule !== null) return;
      runs += 1;
      try {
        new World({ ...any, ...focus }, mutant).run();
      } catch (error) {
        new World({ ...any, ...focus }, NO_MUTATION).run(); // the product itself does well in this very world
        rule = (error as { rule?: string }).rule ?? String(error);
      }
    }),
    { numRuns: RUNS, seed: SEED, endOnFailure: true },
  );
  return rule === null ? null : `simulation, world ${runs}: ${String(rule)}`;
}

for (const mutant of MUTANTS) {
  const found = bySearch(mutant) ?? bySimulation(mutant);
  if (found === null) process.exitCode = 1;
  process.stdout.write(`${mutant.name}: ${found ?? 'NOT NOTICED'}\n`);
}
