/** A resource type of AWS, described by its inputs and by what is asked of the API; the protocol's side is the same for all. */
import { randomBytes } from 'node:crypto';
import { changesBetween, inputOf } from '../protocol/diff';
import type { ResourceType } from '../protocol/provider';
import { checkFields, type Field, type Fields } from '../protocol/schema';
import { plain, secret, UNKNOWN, type Wire, type WireMap } from '../protocol/values';
import { AwsError, type Json, type JsonMap } from './bridge';

/** Asks a service in the resource's region. */
export type Ask = (service: string, operation: string, params: JsonMap, region?: string) => Promise<JsonMap>;

export interface Context {
  readonly ask: Ask;
  readonly region: string;
  /** Logical name, from which the vendor makes names that are not given. */
  readonly name: string;
}

export interface AwsType {
  readonly fields: Readonly<Record<string, Field>>;
  /** Inputs that cannot change in place; `region` never can. `all` where nothing can. */
  readonly replaceOn: readonly string[] | 'all';
  /** Outputs that only AWS knows, beside the inputs. */
  readonly outputs: readonly string[];
  readonly secretOutputs?: readonly string[];
  /** Answers the id and the outputs. */
  create(inputs: JsonMap, context: Context): Promise<JsonMap & { readonly id: string }>;
  /** Outputs that are other than they were; inputs and outputs that stay need not be told. */
  update?(inputs: JsonMap, state: JsonMap, context: Context): Promise<JsonMap>;
  delete(state: JsonMap, context: Context): Promise<unknown>;
  /** What is there now, inputs and outputs; undefined: nothing. An AwsError with a "not found" code means the same. */
  read?(id: string, state: JsonMap, context: Context): Promise<JsonMap | undefined>;
}

export interface Asker {
  /** Region of everything that does not name one. */
  readonly region: () => string;
  readonly ask: (region: string) => Ask;
}

const NOT_FOUND = /NotFound|NoSuch|ResourceNotFound|InvalidAssociationID|InvalidAllocationID/;
export const isNotFound = (error: unknown): boolean =>
  error instanceof AwsError && NOT_FOUND.test(error.code);

const REGION: Readonly<Record<string, Field>> = { region: { type: 'string' } };

export function awsResource(type: AwsType, asker: Asker): ResourceType {
  const schema: Fields = { fields: { ...REGION, ...type.fields } };
  const contextOf = (inputs: JsonMap, name: string): Context => {
    const region = typeof inputs['region'] === 'string' ? inputs['region'] : asker.region();
    return { region, name, ask: asker.ask(region) };
  };
  const json = (map: WireMap): JsonMap => plain(map as Wire) as JsonMap;
  const marked = (outputs: JsonMap): WireMap =>
    Object.fromEntries(
      Object.entries(outputs).map(([name, value]) => [
        name,
        type.secretOutputs?.includes(name) === true ? secret(value as Wire) : (value as Wire),
      ]),
    );
  const unknown = (): WireMap => marked(Object.fromEntries(type.outputs.map((name) => [name, UNKNOWN])));
  const withRegion = (inputs: WireMap, { region }: Context): WireMap => ({ region, ...inputs });
  return {
    check: (inputs) => checkFields(schema, inputs),
    diff({ oldInputs, inputs }) {
      return changesBetween(oldInputs, inputs).map((change) => ({
        ...change,
        replace:
          type.replaceOn === 'all' ||
          type.update === undefined ||
          ['region', ...type.replaceOn].includes(inputOf(change)),
      }));
    },
    async create(inputs, { name }) {
      const context = contextOf(json(inputs), name);
      const created = await type.create(json(inputs), context);
      return { id: created.id, outputs: { ...withRegion(inputs, context), ...marked(created) } };
    },
    previewCreate: (inputs) => ({ ...inputs, ...unknown() }),
    async update({ state, inputs }, { name }) {
      const context = contextOf(json(inputs), name);
      const updated = (await type.update?.(json(inputs), json(state), context)) ?? {};
      return { ...onlyOutputs(state), ...withRegion(inputs, context), ...marked(updated) };
    },
    previewUpdate: ({ state, inputs }) => ({ ...state, ...inputs }),
    async delete(state, { name }) {
      try {
        await type.delete(json(state), contextOf(json(state), name));
      } catch (error) {
        if (!isNotFound(error)) throw error; // gone is what was wanted
      }
    },
    ...(type.read === undefined ? {} : { read: reader(type.read) }),
  };

  function onlyOutputs(state: WireMap): WireMap {
    return Object.fromEntries(
      Object.entries(state).filter(([name]) => name === 'id' || type.outputs.includes(name)),
    );
  }

  function reader(read: NonNullable<AwsType['read']>): NonNullable<ResourceType['read']> {
    return async (id, state, inputs) => {
      const context = contextOf(json(state), '');
      try {
        const found = await read(id, json(state), context);
        if (found === undefined) return null;
        const outputs: WireMap = { ...state, id, region: context.region, ...marked(found) };
        // A resource that is only read has no inputs yet; another keeps to those that the program gives.
        const names = Object.keys(inputs).length > 0 ? Object.keys(inputs) : Object.keys(type.fields);
        const known = names.flatMap((name) =>
          outputs[name] === undefined ? [] : [[name, outputs[name]] as const],
        );
        return { outputs, inputs: Object.fromEntries(known) };
      } catch (error) {
        if (isNotFound(error)) return null;
        throw error;
      }
    };
  }
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
