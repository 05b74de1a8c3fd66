/** Checks inputs against a description of their fields: types, defaults, and what is secret by nature. */
import type { Checked, CheckFailure } from './provider';
import {
  bare,
  isArchive,
  isAsset,
  isList,
  isMap,
  isUnknown,
  secret,
  type Wire,
  type WireMap,
} from './values';

export type FieldType =
  | 'string'
  | 'number'
  | 'boolean'
  | 'any'
  | 'assetOrArchive'
  | { readonly listOf: FieldType }
  | { readonly mapOf: FieldType }
  | { readonly oneOf: readonly string[] }
  | Fields;

export interface Field {
  readonly type: FieldType;
  readonly required?: boolean;
  readonly secret?: boolean;
  readonly default?: string | number | boolean;
}

export interface Fields {
  readonly fields: Readonly<Record<string, Field>>;
}

/** Inputs with defaults filled in and secrets marked, and what is wrong with them. */
export function checkFields(type: Fields, inputs: WireMap): Checked {
  const failures: CheckFailure[] = [];
  const checked = checkObject(type, inputs, '', failures);
  return { inputs: checked, failures };
}

function checkObject(type: Fields, inputs: WireMap, prefix: string, failures: CheckFailure[]): WireMap {
  const result: Record<string, Wire> = {};
  for (const [name, value] of Object.entries(inputs)) {
    if (name === 'version' && prefix === '') continue;
    if (name.startsWith('__')) continue;
    if (type.fields[name] === undefined && value !== null) {
      failures.push({
        property: prefix + name,
        reason: `is not an input; expected one of ${Object.keys(type.fields).join(', ')}`,
      });
    } else if (value !== null) result[name] = value;
  }
  for (const [name, field] of Object.entries(type.fields)) {
    const value = result[name] ?? field.default;
    if (value === undefined) {
      if (field.required === true)
        failures.push({ property: prefix + name, reason: 'is required but missing' });
      continue;
    }
    const wasSecret = bare(value) !== value;
    const checked = checkValue(field.type, bare(value) as Wire, prefix + name, failures);
    result[name] = wasSecret || field.secret === true ? secret(checked) : checked;
  }
  return result;
}

function checkValue(type: FieldType, value: Wire, path: string, failures: CheckFailure[]): Wire {
  if (isUnknown(value) || type === 'any') return value;
  const own = bare(value) as Wire;
  const expect = (right: boolean, expected: string): Wire => {
    if (!right) failures.push({ property: path, reason: `must be ${expected}, got ${kindOf(own)}` });
    return value;
  };
  if (type === 'assetOrArchive') return expect(isAsset(own) || isArchive(own), 'an asset or an archive');
  if (typeof type === 'string') return expect(typeof own === type, `a ${type}`);
  if ('oneOf' in type) {
    return expect(typeof own === 'string' && type.oneOf.includes(own), `one of ${type.oneOf.join(', ')}`);
  }
  if ('listOf' in type) {
    if (!isList(own)) return expect(false, 'a list');
    const items: readonly Wire[] = own;
    items.forEach((item, i) => checkValue(type.listOf, bare(item) as Wire, `${path}[${i}]`, failures));
    return value;
  }
  if (!isMap(own) || isAsset(own) || isArchive(own)) return expect(false, 'an object');
  if ('mapOf' in type) {
    for (const [key, item] of Object.entries(own as WireMap)) {
      checkValue(type.mapOf, bare(item) as Wire, `${path}.${key}`, failures);
    }
    return value;
  }
  return checkObject(type, own, `${path}.`, failures);
}

function kindOf(value: Wire): string {
  if (isAsset(value)) return 'an asset';
  if (isArchive(value)) return 'an archive';
  if (isList(value)) return 'a list';
  if (isMap(value)) return 'an object';
  return value === null ? 'nothing' : `a ${typeof value}`;
}
