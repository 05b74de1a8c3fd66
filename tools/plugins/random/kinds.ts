import { hashSync } from 'bcryptjs';
import { randomBytes } from 'node:crypto';
import type { CheckFailure } from '../protocol/provider';
import type { Fields } from '../protocol/schema';
import type { Wire, WireMap } from '../protocol/values';
import { anyUnknown, KEEPERS, type RandomKind } from './resource';
import { randomText, randomUuid, type TextRules } from './text';

const TEXT_FIELDS: Fields = {
  fields: {
    ...KEEPERS,
    length: { type: 'number', required: true },
    upper: { type: 'boolean' },
    lower: { type: 'boolean' },
    number: { type: 'boolean' },
    numeric: { type: 'boolean' },
    special: { type: 'boolean' },
    minUpper: { type: 'number' },
    minLower: { type: 'number' },
    minNumeric: { type: 'number' },
    minSpecial: { type: 'number' },
    overrideSpecial: { type: 'string' },
  },
};

function textEffective(inputs: WireMap): WireMap {
  const numeric = inputs['numeric'] ?? inputs['number'] ?? true;
  const overridden = inputs['overrideSpecial'];
  return {
    keepers: inputs['keepers'] ?? null,
    length: inputs['length'] ?? null,
    upper: inputs['upper'] ?? true,
    lower: inputs['lower'] ?? true,
    number: numeric,
    numeric,
    special: inputs['special'] ?? true,
    minUpper: inputs['minUpper'] ?? 0,
    minLower: inputs['minLower'] ?? 0,
    minNumeric: inputs['minNumeric'] ?? 0,
    minSpecial: inputs['minSpecial'] ?? 0,
    overrideSpecial: overridden === undefined || overridden === '' ? null : overridden,
  };
}

function textProblems(effective: WireMap): readonly CheckFailure[] {
  if (anyUnknown(effective)) return [];
  const rules = effective as unknown as TextRules;
  const minimum = rules.minUpper + rules.minLower + rules.minNumeric + rules.minSpecial;
  const failures: CheckFailure[] = [];
  if (rules.length < Math.max(1, minimum)) {
    failures.push({
      property: 'length',
      reason: `must be at least 1 and at least the sum of the minimums (${minimum}), got ${rules.length}`,
    });
  }
  if (!rules.upper && !rules.lower && !rules.numeric && !rules.special) {
    failures.push({
      property: 'special',
      reason: 'at least one of special, upper, lower, numeric and number must be true',
    });
  }
  return failures;
}

function rulesOf(effective: WireMap): TextRules {
  const { overrideSpecial, ...rules } = effective;
  return {
    ...(rules as unknown as TextRules),
    ...(typeof overrideSpecial === 'string' ? { overrideSpecial } : {}),
  };
}

/** The state carries the schema version that the vendor's plugin expects, so that it can take over. */
const schemaVersion = (version: number): string => JSON.stringify({ schema_version: String(version) });

const BCRYPT_ROUNDS = 10;
const BCRYPT_BYTES = 72;

export const password: RandomKind = {
  fields: TEXT_FIELDS,
  effective: textEffective,
  problems: textProblems,
  make(effective) {
    const result = randomText(rulesOf(effective));
    const hashed = Buffer.from(result, 'utf8').subarray(0, BCRYPT_BYTES).toString('utf8');
    const bcryptHash = hashSync(hashed, BCRYPT_ROUNDS).replace(/^\$2b\$/, '$2a$');
    return { id: 'none', outputs: { id: 'none', result, bcryptHash, __meta: schemaVersion(3) } };
  },
  outputs: ['result', 'bcryptHash'],
  secretOutputs: ['result', 'bcryptHash'],
};

export const string: RandomKind = {
  fields: TEXT_FIELDS,
  effective: textEffective,
  problems: textProblems,
  make(effective) {
    const result = randomText(rulesOf(effective));
    return { id: result, outputs: { id: result, result, __meta: schemaVersion(2) } };
  },
  outputs: ['result'],
  secretOutputs: [],
};

export const identifier: RandomKind = {
  fields: {
    fields: { ...KEEPERS, byteLength: { type: 'number', required: true }, prefix: { type: 'string' } },
  },
  effective: ({ keepers, byteLength, prefix }) => ({
    keepers: keepers ?? null,
    byteLength: byteLength ?? null,
    prefix: prefix ?? null,
  }),
  problems: ({ byteLength }) => atLeastOne('byteLength', byteLength),
  make({ byteLength, prefix }) {
    const bytes = randomBytes(byteLength as number);
    const before = typeof prefix === 'string' ? prefix : '';
    const hex = bytes.toString('hex');
    const id = bytes.toString('base64url');
    return {
      id,
      outputs: {
        id,
        b64Std: before + bytes.toString('base64'),
        b64Url: before + id,
        dec: before + BigInt(`0x${hex}`).toString(),
        hex: before + hex,
      },
    };
  },
  outputs: ['b64Std', 'b64Url', 'dec', 'hex'],
  secretOutputs: [],
};

export const bytes: RandomKind = {
  fields: { fields: { ...KEEPERS, length: { type: 'number', required: true } } },
  effective: ({ keepers, length }) => ({ keepers: keepers ?? null, length: length ?? null }),
  problems: ({ length }) => atLeastOne('length', length),
  make({ length }) {
    const made = randomBytes(length as number);
    const base64 = made.toString('base64');
    return { id: base64, outputs: { base64, hex: made.toString('hex') } };
  },
  outputs: ['base64', 'hex'],
  secretOutputs: ['base64', 'hex'],
};

export const uuid: RandomKind = {
  fields: { fields: KEEPERS },
  effective: ({ keepers }) => ({ keepers: keepers ?? null }),
  make() {
    const result = randomUuid();
    return { id: result, outputs: { id: result, result } };
  },
  outputs: ['result'],
  secretOutputs: [],
};

function atLeastOne(property: string, value: Wire | undefined): readonly CheckFailure[] {
  return typeof value === 'number' && value < 1
    ? [{ property, reason: `must be at least 1, got ${value}` }]
    : [];
}
