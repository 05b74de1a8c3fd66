import type { Platform } from '../names';
import type { Problem } from '../problems';
import type { ConfigKey, FlatConfig } from '../schema';

/**
 * What must hold between keys, as data. A rule names the keys that it reads, and is left out when one of them is of
 * the wrong shape already.
 */
export interface Rule {
  readonly reads: readonly ConfigKey[];
  /** Absent: any stack. */
  readonly kind?: 'site' | 'witness';
  /** Absent: any platform. */
  readonly platform?: Platform;
  readonly check: (config: FlatConfig) => readonly Problem[];
}

/** The same rules for one platform only. */
export const onlyOn = (platform: Platform, rules: readonly Rule[]): readonly Rule[] =>
  rules.map((rule) => ({ ...rule, platform }));

export const none: readonly Problem[] = [];
export const when = (bad: boolean, problem: Problem): readonly Problem[] => (bad ? [problem] : none);

export function required(key: ConfigKey, allowed: string, kind?: 'site' | 'witness'): Rule {
  return {
    reads: [key],
    ...(kind === undefined ? {} : { kind }),
    check: (config) => {
      const value = config[key];
      const unset = value === '' || (Array.isArray(value) && value.length === 0);
      return when(unset, { key, got: value, allowed });
    },
  };
}

export function duplicates(values: readonly string[]): string[] {
  return [...new Set(values.filter((value, index) => values.indexOf(value) !== index))];
}
