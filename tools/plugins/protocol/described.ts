/** A resource type described by its inputs and by what is asked of an API; the protocol's side is the same for all. */
import { changesBetween, inputOf } from './diff';
import type { JsonMap } from './json';
import type { ResourceType } from './provider';
import { checkFields, type Field, type Fields } from './schema';
import { isSecret, plain, secret, UNKNOWN, type Wire, type WireMap } from './values';

export interface DescribedType<Context> {
  readonly fields: Readonly<Record<string, Field>>;
  /** Inputs that cannot change in place; the cloud's common ones never can. `all` where nothing can. */
  readonly replaceOn: readonly string[] | 'all';
  /** Outputs that only the cloud knows, beside the inputs. */
  readonly outputs: readonly string[];
  readonly secretOutputs?: readonly string[];
  /** Answers the id and the outputs. */
  create(inputs: JsonMap, context: Context): Promise<JsonMap & { readonly id: string }>;
  /** Outputs that are other than they were; inputs and outputs that stay need not be told. */
  update?(inputs: JsonMap, state: JsonMap, context: Context): Promise<JsonMap>;
  delete(state: JsonMap, context: Context): Promise<unknown>;
  /** What is there now, inputs and outputs; undefined, or an error that {@link Cloud.isGone} knows: nothing. */
  read?(id: string, state: JsonMap, context: Context): Promise<JsonMap | undefined>;
}

export interface Cloud<Context> {
  /** Inputs that every type has, and that cannot change in place. */
  readonly common: Readonly<Record<string, Field>>;
  /** @param name logical name of the resource; "" while it is read */
  contextOf(inputs: JsonMap, name: string): Context;
  /** What the common inputs come to. */
  settled(context: Context): WireMap;
  isGone(error: unknown): boolean;
}

/** An API answers in the clear what it was told as a secret. */
const markedAs = (before: WireMap, now: WireMap): WireMap =>
  Object.fromEntries(
    Object.entries(now).map(([name, value]) => [name, isSecret(before[name]) ? secret(value) : value]),
  );

export function describedResource<Context>(
  type: DescribedType<Context>,
  cloud: Cloud<Context>,
): ResourceType {
  const schema: Fields = { fields: { ...cloud.common, ...type.fields } };
  const fixed = type.replaceOn === 'all' ? [] : [...Object.keys(cloud.common), ...type.replaceOn];
  const json = (map: WireMap): JsonMap => plain(map as Wire) as JsonMap;
  const marked = (outputs: JsonMap): WireMap =>
    Object.fromEntries(
      Object.entries(outputs).map(([name, value]) => [
        name,
        type.secretOutputs?.includes(name) === true ? secret(value as Wire) : (value as Wire),
      ]),
    );
  const unknown = (): WireMap => marked(Object.fromEntries(type.outputs.map((name) => [name, UNKNOWN])));
  const settled = (inputs: WireMap, context: Context): WireMap => ({ ...cloud.settled(context), ...inputs });
  return {
    check: (inputs) => checkFields(schema, inputs),
    diff({ oldInputs, inputs }) {
      return changesBetween(oldInputs, inputs).map((change) => ({
        ...change,
        replace: type.replaceOn === 'all' || type.update === undefined || fixed.includes(inputOf(change)),
      }));
    },
    async create(inputs, { name }) {
      const context = cloud.contextOf(json(inputs), name);
      const created = await type.create(json(inputs), context);
      return { id: created.id, outputs: { ...settled(inputs, context), ...marked(created) } };
    },
    previewCreate: (inputs) => ({ ...inputs, ...unknown() }),
    async update({ state, inputs }, { name }) {
      const context = cloud.contextOf(json(inputs), name);
      const updated = (await type.update?.(json(inputs), json(state), context)) ?? {};
      return { ...onlyOutputs(state), ...settled(inputs, context), ...marked(updated) };
    },
    previewUpdate: ({ state, inputs }) => ({ ...state, ...inputs }),
    async delete(state, { name }) {
      try {
        await type.delete(json(state), cloud.contextOf(json(state), name));
      } catch (error) {
        if (!cloud.isGone(error)) throw error; // gone is what was wanted
      }
    },
    ...(type.read === undefined ? {} : { read: reader(type.read) }),
  };

  function onlyOutputs(state: WireMap): WireMap {
    return Object.fromEntries(
      Object.entries(state).filter(([name]) => name === 'id' || type.outputs.includes(name)),
    );
  }

  function reader(read: NonNullable<DescribedType<Context>['read']>): NonNullable<ResourceType['read']> {
    return async (id, state, inputs) => {
      const context = cloud.contextOf(json(state), '');
      try {
        const found = await read(id, json(state), context);
        if (found === undefined) return null;
        const now: WireMap = { ...state, id, ...cloud.settled(context), ...marked(found) };
        const outputs = markedAs(state, now);
        // A resource that is only read has no inputs yet; another keeps to those that the program gives.
        const names = Object.keys(inputs).length > 0 ? Object.keys(inputs) : Object.keys(type.fields);
        const known = names.flatMap((name) =>
          outputs[name] === undefined ? [] : [[name, outputs[name]] as const],
        );
        return { outputs, inputs: markedAs(inputs, Object.fromEntries(known)) };
      } catch (error) {
        if (cloud.isGone(error)) return null;
        throw error;
      }
    };
  }
}
