import { changesBetween } from '../protocol/diff';
import type { CheckFailure, ResourceType } from '../protocol/provider';
import { checkFields, type Fields } from '../protocol/schema';
import { containsUnknown, secret, UNKNOWN, type WireMap } from '../protocol/values';

/** How one kind of random value is made. Once made it stays; any other wish makes a new one. */
export interface RandomKind {
  readonly fields: Fields;
  /** Every input with its effective value, as it also stands in the state. */
  effective(inputs: WireMap): WireMap;
  problems?(effective: WireMap): readonly CheckFailure[];
  /** Outputs by name, other than the inputs. */
  make(effective: WireMap): { readonly id: string; readonly outputs: Readonly<Record<string, string>> };
  readonly outputs: readonly string[];
  readonly secretOutputs: readonly string[];
}

export const KEEPERS: Fields['fields'] = { keepers: { type: { mapOf: 'string' } } };

export function randomResource(kind: RandomKind): ResourceType {
  const mark = (outputs: Readonly<Record<string, string>>): WireMap =>
    Object.fromEntries(
      Object.entries(outputs).map(([name, value]) => [
        name,
        kind.secretOutputs.includes(name) ? secret(value) : value,
      ]),
    );
  return {
    check(inputs) {
      const checked = checkFields(kind.fields, inputs);
      if (checked.failures.length > 0) return checked;
      return { ...checked, failures: kind.problems?.(kind.effective(checked.inputs)) ?? [] };
    },
    diff({ state, inputs }) {
      const wanted = kind.effective(inputs);
      const deployed = Object.fromEntries(
        Object.keys(kind.fields.fields).map((name) => [name, state[name] ?? null]),
      );
      return changesBetween(deployed, wanted).map((change) => ({ ...change, replace: true }));
    },
    async create(inputs) {
      const effective = kind.effective(inputs);
      const { id, outputs } = kind.make(effective);
      return { id, outputs: { ...present(effective), ...mark(outputs) } };
    },
    previewCreate(inputs) {
      const unknown = Object.fromEntries(kind.outputs.map((name) => [name, UNKNOWN]));
      return { ...present(kind.effective(inputs)), ...mark(unknown) };
    },
    update: async ({ state, inputs }) => ({ ...state, ...present(kind.effective(inputs)) }),
    previewUpdate: ({ state, inputs }) => ({ ...state, ...present(kind.effective(inputs)) }),
    delete: async () => undefined,
  };
}

export function anyUnknown(effective: WireMap): boolean {
  return Object.values(effective).some((value) => containsUnknown(value));
}

function present(map: WireMap): WireMap {
  return Object.fromEntries(Object.entries(map).filter(([, value]) => value !== null && value !== undefined));
}
