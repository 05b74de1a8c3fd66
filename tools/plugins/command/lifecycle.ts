import { changesBetween, inputOf } from '../protocol/diff';
import type { DiffRequest, PropertyChange } from '../protocol/provider';
import type { Fields } from '../protocol/schema';
import { containsUnknown, sameValue, UNKNOWN, type Wire, type WireMap } from '../protocol/values';

/**
 * Compares deployed with wanted inputs. Only a change of a whole replacing input is a replacement here; changes
 * inside one (`triggers[0]`) are made replacements by the engine, which the SDK asks for it.
 */
export function differs(
  change: DiffRequest,
  replacing: readonly string[] | 'all',
): readonly PropertyChange[] {
  return changesBetween(change.oldInputs, change.inputs).map((found) => ({
    ...found,
    replace: replacing === 'all' || (found.path === inputOf(found) && replacing.includes(found.path)),
  }));
}

/** Outputs as a preview can tell them: what a command prints is unknown if it would run with other inputs. */
export function previewOutputs(
  fields: Fields,
  { inputs, state }: { readonly inputs: WireMap; readonly state?: WireMap },
): WireMap {
  const runs =
    state === undefined ||
    Object.keys(fields.fields).some(
      (name) =>
        containsUnknown(inputs[name]) || (state[name] !== undefined && !sameValue(state[name], inputs[name])),
    );
  const printed: Record<string, Wire> = { stdout: UNKNOWN, stderr: UNKNOWN };
  if (!runs) for (const name of Object.keys(printed)) printed[name] = state[name] ?? '';
  return { ...inputs, ...printed };
}
