import { HANDOVER_PHASES } from '../../../../lease';
import { APPLY_STEPS } from '../../../snapshots/apply';
import { PUBLISH_STEPS } from '../../../snapshots/publish';
import { RESTORE_TEST_STEPS } from '../../../snapshots/restore-test';
import { GROUPS } from '../data-case';
import { allCases } from '.';

const names = allCases().map(({ name }) => name);

describe('the cases of the data drill', () => {
  it('kill at every step of publish, apply, re-protection and hand-over', () => {
    const everywhere = [
      ...PUBLISH_STEPS.map((step) => `kill -9 in publish: ${step}`),
      ...PUBLISH_STEPS.map((step) => `kill -9 of the holder in hand-over: publish/${step}`),
      ...APPLY_STEPS.map((step) => `kill -9 in re-protection, then failback: apply/${step}`),
      ...RESTORE_TEST_STEPS.map((step) => `kill -9 in restore test: ${step}`),
      ...HANDOVER_PHASES.map((phase) => `kill -9 of the holder in hand-over: event/switch-step:${phase}`),
      // Only a re-protection sets data aside.
      ...APPLY_STEPS.filter((step) => step !== 'set-aside').flatMap((step) => [
        `kill -9 in apply: ${step}`,
        `kill -9 of the peer in hand-over: apply/${step}`,
      ]),
    ];
    expect(names).toEqual(expect.arrayContaining(everywhere));
  });

  it('have names of their own, and a group that is run', () => {
    expect(new Set(names).size).toBe(names.length);
    expect(new Set(allCases().map(({ group }) => group))).toEqual(new Set(GROUPS));
  });
});
