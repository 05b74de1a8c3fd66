/** Thousands of short worlds; `SIM_RUNS=20000 npx jest agent/leadership` soaks, `SIM_SEED` repeats a run. */
import * as fc from 'fast-check';
import { LEADER_MUTANTS, NO_MUTATION } from './simulation/mutants';
import { leaderPlan } from './simulation/plan';
import { LeadershipBrokenError, LeadershipWorld } from './simulation/world';

const RUNS = Number(process.env['SIM_RUNS'] ?? 1000);
const SEED = Number(process.env['SIM_SEED'] ?? Date.now() % 2 ** 31);
const MOST_MUTANT_RUNS = Number(process.env['MUTANT_RUNS'] ?? 4000);

describe('the leadership of a site in a world of faults', () => {
  it(`has one leader at most, forgets nothing, and somebody leads in the end (seed ${SEED})`, () => {
    let terms = 0;
    let saved = 0;
    fc.assert(
      fc.property(leaderPlan, (drawn) => {
        const world = new LeadershipWorld(drawn, NO_MUTATION);
        world.run();
        terms += world.terms.length;
        saved += world.saved;
      }),
      { numRuns: RUNS, seed: SEED },
    );
    // Worlds in which nothing happens would pass as well.
    expect(terms).toBeGreaterThan(1.3 * RUNS);
    expect(saved).toBeGreaterThan(10 * RUNS);
  }, 600_000);
});

describe('its simulation notices when', () => {
  it.each(LEADER_MUTANTS.map((mutant) => [mutant.name, mutant] as const))(
    '%s',
    (_name, mutant) => {
      let caught: unknown = null;
      fc.check(
        fc.property(leaderPlan, (drawn) => {
          if (caught !== null) return;
          try {
            new LeadershipWorld(drawn, mutant).run();
          } catch (error) {
            new LeadershipWorld(drawn, NO_MUTATION).run(); // the product itself does well in this very world
            caught = error;
          }
        }),
        { numRuns: MOST_MUTANT_RUNS, seed: 20_240_229, endOnFailure: true },
      );
      expect(caught).toBeInstanceOf(LeadershipBrokenError);
    },
    600_000,
  );
});
