/** A resource type of AWS: what is asked of a service in the resource's region. */
import { randomBytes } from 'node:crypto';
import { describedResource, type DescribedType } from '../protocol/described';
import type { Json, JsonMap } from '../protocol/json';
import type { ResourceType } from '../protocol/provider';
import type { Field } from '../protocol/schema';
import { AwsError } from './bridge';

/** Asks a service in the resource's region. */
export type Ask = (service: string, operation: string, params: JsonMap, region?: string) => Promise<JsonMap>;

export interface Context {
  readonly ask: Ask;
  readonly region: string;
  /** Logical name, from which the vendor makes names that are not given. */
  readonly name: string;
}

/** An AwsError with a "not found" code says that there is nothing any more. */
export type AwsType = DescribedType<Context>;

export interface Asker {
  /** Region of everything that does not name one. */
  readonly region: () => string;
  readonly ask: (region: string) => Ask;
}

const NOT_FOUND = /NotFound|NoSuch|ResourceNotFound|InvalidAssociationID|InvalidAllocationID/;
export const isNotFound = (error: unknown): boolean =>
  error instanceof AwsError && NOT_FOUND.test(error.code);

export function awsResource(type: AwsType, asker: Asker): ResourceType {
  return describedResource(type, {
    common: { region: { type: 'string' } },
    contextOf(inputs, name) {
      const region = typeof inputs['region'] === 'string' ? inputs['region'] : asker.region();
      return { region, name, ask: asker.ask(region) };
    },
    settled: ({ region }) => ({ region }),
    isGone: isNotFound,
  });
}

/** A field of an answer, one level a name. */
export function at(value: Json | undefined, ...names: readonly (string | number)[]): Json {
  let found: Json = value ?? null;
  for (const name of names) {
    if (typeof found !== 'object' || found === null) return null;
    found = (found as Readonly<Record<string | number, Json>>)[name] ?? null;
  }
  return found;
}

export const text = (value: Json | undefined): string => {
  if (typeof value !== 'string') throw new TypeError(`expected text from AWS, got ${JSON.stringify(value)}`);
  return value;
};

export const STRING: Field = { type: 'string' };
export const REQUIRED: Field = { type: 'string', required: true };
export const FLAG: Field = { type: 'boolean' };
export const NUMBER: Field = { type: 'number' };
export const TAGS: Field = { type: { mapOf: 'string' } };

export const tagList = (tags: Json | undefined): Json[] =>
  Object.entries((tags ?? {}) as JsonMap).map(([Key, Value]) => ({ Key, Value }));

/** Parameters without those that are not set. */
export const given = (params: Readonly<Record<string, Json | undefined>>): JsonMap =>
  Object.fromEntries(
    Object.entries(params).filter(([, value]) => value !== undefined && value !== null),
  ) as JsonMap;

/** The vendor makes a name unique where the program gives none: two stacks may use the same logical name. */
export const uniqueName = (name: Json | undefined, logicalName: string): string =>
  typeof name === 'string' ? name : `${logicalName}-${randomBytes(4).toString('hex').slice(0, 7)}`;
