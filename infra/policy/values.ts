/** Properties of resources as rules read them: plain values, with what only the deployment will know marked. */

/** In place of a value that a preview does not know; no rule is broken by one. */
export const UNKNOWN: unique symbol = Symbol('known after deployment');

export type Value = undefined | null | boolean | number | string | typeof UNKNOWN | readonly Value[] | Values;
export interface Values {
  readonly [key: string]: Value;
}

/** A copy of what the policy SDK hands out, whose objects throw when an unknown value is read. */
export function valuesOf(props: Readonly<Record<string, unknown>>): Values {
  return Object.fromEntries(Object.keys(props).map((key) => [key, read(() => props[key])]));
}

function read(get: () => unknown): Value {
  try {
    return valueOf(get());
  } catch (error) {
    if (error instanceof Error && 'unknownTypeSentinel' in error) return UNKNOWN;
    throw error;
  }
}

function valueOf(value: unknown): Value {
  if (Array.isArray(value))
    return Array.from({ length: value.length }, (_, index) => read(() => value[index]));
  if (typeof value === 'object' && value !== null) return valuesOf(value as Record<string, unknown>);
  return value as Value;
}

export function isObject(value: Value): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A list's elements; of a single value, that one. */
export function listOf(value: Value): readonly Value[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : [value as Value];
}

/** What is at a path, which may also be reached through lists of one; unknown as soon as anything on the way is. */
export function at(value: Value, ...path: readonly string[]): Value {
  let here = value;
  for (const key of path) {
    if (Array.isArray(here) && here.length === 1) here = here[0] as Value;
    if (here === UNKNOWN) return UNKNOWN;
    here = isObject(here) ? here[key] : undefined;
  }
  return here;
}

/** Neither this value nor, perhaps, it: an unknown one may turn out to be it. */
export function isSurelyNot(value: Value, ...wanted: readonly Value[]): boolean {
  return value !== UNKNOWN && !wanted.includes(value);
}

/** Absent for sure, or empty. */
export function isMissing(value: Value): boolean {
  return (
    value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0)
  );
}

/** A value in words, for messages. */
export function tell(value: Value): string {
  if (value === UNKNOWN) return 'something not known yet';
  return value === undefined || value === null ? 'none' : JSON.stringify(value);
}
