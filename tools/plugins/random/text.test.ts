import fc from 'fast-check';
import { randomText, randomUuid } from './text';

const count = (text: string, of: RegExp): number => text.match(of)?.length ?? 0;

describe('randomText', () => {
  it('has its length, its minimums and no characters of other classes, whatever the rules', () => {
    const minimum = fc.nat({ max: 5 });
    fc.assert(
      fc.property(
        fc.record({ upper: fc.boolean(), lower: fc.boolean(), special: fc.boolean() }),
        fc.record({ minUpper: minimum, minLower: minimum, minNumeric: minimum, minSpecial: minimum }),
        fc.nat({ max: 20 }),
        (classes, minimums, extra) => {
          const sum = Object.values(minimums).reduce((a, b) => a + b, 0);
          const text = randomText({
            ...classes,
            ...minimums,
            numeric: true,
            length: sum + extra,
            overrideSpecial: '_%',
          });
          expect(text).toHaveLength(sum + extra);
          expect(text).toMatch(/^[A-Za-z0-9_%]*$/);
          for (const [allowed, least, of] of [
            [classes.upper, minimums.minUpper, /[A-Z]/g],
            [classes.lower, minimums.minLower, /[a-z]/g],
            [classes.special, minimums.minSpecial, /[_%]/g],
          ] as const) {
            expect(count(text, of)).toBeGreaterThanOrEqual(least);
            if (!allowed) expect(count(text, of)).toBe(least);
          }
        },
      ),
    );
  });

  it('never comes twice', () => {
    const rules = { upper: true, lower: true, numeric: true, special: true, length: 20 };
    const minimums = { minUpper: 0, minLower: 0, minNumeric: 0, minSpecial: 0 };
    const texts = Array.from({ length: 200 }, () => randomText({ ...rules, ...minimums }));
    expect(new Set([...texts, randomUuid(), randomUuid()]).size).toBe(202);
  });
});
