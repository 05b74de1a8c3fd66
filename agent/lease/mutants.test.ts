/** A simulation that passes proves something only if it fails when a rule is missing. */
import * as fc from 'fast-check';
import { InvariantBrokenError } from './simulation/invariants';
import { NO_MUTATION } from './simulation/mutation';
import { MUTANTS } from './simulation/mutants';
import { plan } from './simulation/plan';
import { World } from './simulation/world';

const MOST_RUNS = Number(process.env['MUTANT_RUNS'] ?? 4000);
const SEED = Number(process.env['SIM_SEED'] ?? 20_240_229);

describe('the simulation notices when', () => {
  it.each(MUTANTS.map((mutant) => [mutant.name, mutant] as const))(
    '%s',
    (_name, mutant) => {
      let runs = 0;
      let caught: unknown = null;
      fc.check(
        fc.property(plan, mutant.focus ?? fc.constant({}), (any, focus) => {
          const drawn = { ...any, ...focus };
          if (caught !== null) return;
          runs += 1;
          try {
            new World(drawn, mutant).run();
          } catch (error) {
            new World(drawn, NO_MUTATION).run(); // the product itself does well in this very world
            caught = error;
          }
        }),
        { numRuns: MOST_RUNS, seed: SEED, interruptAfterTimeLimit: 600_000, endOnFailure: true },
      );
      if (process.env['MUTANT_VERBOSE'] !== undefined) console.info(`${runs} worlds: ${String(caught)}`);
      expect(caught).toBeInstanceOf(InvariantBrokenError);
    },
    600_000,
  );
});
