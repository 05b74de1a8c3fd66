/** A resource type of Cloudflare: where its objects are, and how the SDK's names become the API's. */
import { describedResource, type DescribedType } from '../protocol/described';
import type { Json, JsonMap } from '../protocol/json';
import type { ResourceType } from '../protocol/provider';
import type { Field } from '../protocol/schema';
import { type Ask, CloudflareError } from './api';

export interface Context {
  readonly ask: Ask;
}
export type CloudflareType = DescribedType<Context>;

export function cloudflareResource(type: CloudflareType, ask: Ask): ResourceType {
  return describedResource(type, {
    common: {},
    contextOf: () => ({ ask }),
    settled: () => ({}),
    isGone: (error) => error instanceof CloudflareError && error.status === 404,
  });
}

export const STRING: Field = { type: 'string' };
export const REQUIRED: Field = { type: 'string', required: true };
export const FLAG: Field = { type: 'boolean' };
export const NUMBER: Field = { type: 'number' };
export const STRINGS: Field = { type: { listOf: 'string' } };

export interface ObjectType {
  /** Which input names the owner: an account or a zone. */
  readonly owner: 'accountId' | 'zoneId';
  /** Below the owner, such as `load_balancers/pools`. */
  readonly collection: string;
  /** Beside the owner. */
  readonly fields: CloudflareType['fields'];
  readonly replaceOn?: readonly string[];
  readonly outputs: readonly string[];
  readonly secretOutputs?: readonly string[];
  /** Fields of an input whose names are not just snake case, as the API has them. */
  readonly nested?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** An object that is made with POST, changed with PUT, asked for with GET, and has an id of the API's choice. */
export function objectType(type: ObjectType): CloudflareType {
  const { owner, nested = {} } = type;
  const collection = (inputs: JsonMap): string => {
    const scope = owner === 'accountId' ? 'accounts' : 'zones';
    return `/${scope}/${String(inputs[owner])}/${type.collection}`;
  };
  const bodyOf = (inputs: JsonMap): JsonMap =>
    Object.fromEntries(
      Object.keys(type.fields)
        .filter((name) => inputs[name] !== undefined)
        .map((name) => [snake(name), renamed(inputs[name], nested[name] ?? {})]),
    );
  const told = (result: Json, known: JsonMap): JsonMap =>
    Object.fromEntries(
      [...Object.keys(type.fields), ...type.outputs].flatMap((name) => {
        const value = (result as JsonMap)[snake(name)] ?? null;
        return value === null
          ? []
          : [[name, asWide(known[name], renamed(value, inverse(nested[name] ?? {})))]];
      }),
    );
  const show = async (id: string, state: JsonMap, { ask }: Context): Promise<JsonMap> =>
    told(await ask({ method: 'GET', path: `${collection(state)}/${id}` }), state);
  return {
    fields: { [owner]: REQUIRED, ...type.fields },
    replaceOn: [owner, ...(type.replaceOn ?? [])],
    outputs: type.outputs,
    ...(type.secretOutputs === undefined ? {} : { secretOutputs: type.secretOutputs }),
    async create(inputs, context) {
      const made = await context.ask({ method: 'POST', path: collection(inputs), body: bodyOf(inputs) });
      const id = String((made as JsonMap)['id']);
      return { ...(await show(id, inputs, context)), id }; // some answer their id alone
    },
    async update(inputs, state, context) {
      const id = String(state['id']);
      await context.ask({ method: 'PUT', path: `${collection(inputs)}/${id}`, body: bodyOf(inputs) });
      return { ...(await show(id, inputs, context)), id };
    },
    delete: (state, { ask }) =>
      ask({ method: 'DELETE', path: `${collection(state)}/${String(state['id'])}` }),
    read: show,
  };
}

export const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

const inverse = (names: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(names).map(([ours, theirs]) => [theirs, ours]));

function renamed(value: Json | undefined, names: Readonly<Record<string, string>>): Json | undefined {
  if (!isMap(value) || Object.keys(names).length === 0) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [names[name] ?? name, inner]));
}

/** What the API tells, as far as it was asked for: it fills in defaults that nobody gave. */
function asWide(known: Json | undefined, value: Json | undefined): Json | undefined {
  if (Array.isArray(known) && Array.isArray(value))
    return (value as readonly Json[]).map((item, index) => asWide((known as readonly Json[])[index], item));
  if (!isMap(known) || !isMap(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => known[name] !== undefined)
      .map(([name, inner]) => [name, asWide(known[name], inner)]),
  );
}

const isMap = (value: Json | undefined): value is JsonMap =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
