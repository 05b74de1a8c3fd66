/** From the strings that the engine hands over to typed values, key by key, so that one bad key hides no other. */
import type { z } from 'zod';
import type { Problem } from './problems';
import {
  CONFIG_KEYS,
  ConfigSchema,
  type ConfigKey,
  type ConfigValueKind,
  type FlatConfig,
  valueKinds,
} from './schema';
import { closest } from './suggest';

export interface RawConfig {
  /** Project name: the namespace of our keys. */
  readonly namespace: string;
  /** All configuration, keys with their namespace. */
  readonly values: Readonly<Record<string, string>>;
  readonly isSecret: (key: string) => boolean;
}

export interface DecodedConfig {
  /** Keys in `badKeys` hold their defaults. */
  readonly config: FlatConfig;
  readonly badKeys: ReadonlySet<ConfigKey>;
  readonly problems: readonly Problem[];
}

const isConfigKey = (name: string): name is ConfigKey => (CONFIG_KEYS as readonly string[]).includes(name);

/** A text that is not of its kind stays as it is, for the schema to refuse. */
function decodeText(text: string, kind: ConfigValueKind): unknown {
  switch (kind) {
    case 'string':
      return text;
    case 'integer':
      return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : text;
    case 'array':
    case 'object':
      try {
        return JSON.parse(text) as unknown;
      } catch (error) {
        if (error instanceof SyntaxError) return text;
        throw error;
      }
  }
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, step) => (typeof inner === 'object' && inner !== null ? Reflect.get(inner, step) : undefined),
    value,
  );
}

function toProblem(key: ConfigKey, value: unknown, secret: boolean, issue: z.core.$ZodIssue): Problem {
  const path = issue.path
    .map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`))
    .join('');
  const got = secret ? {} : { got: valueAt(value, issue.path) };
  if (issue.code === 'unrecognized_keys') {
    return { key: `${key}${path}`, ...got, allowed: `${issue.message}; without ${issue.keys.join(', ')}` };
  }
  return { key: `${key}${path}`, ...got, allowed: issue.message };
}

function unknownKeyProblem(name: string): Problem {
  const meant = closest(name, CONFIG_KEYS);
  return {
    key: name,
    allowed: 'only the keys that Pulumi.yaml declares',
    fix: meant === undefined ? 'Remove it.' : `Did you mean failover:${meant}? Rename or remove it.`,
  };
}

export function decodeConfig(raw: RawConfig): DecodedConfig {
  const problems: Problem[] = [];
  const badKeys = new Set<ConfigKey>();
  const values: Partial<Record<ConfigKey, unknown>> = {};
  const kinds = valueKinds();

  for (const [fullKey, text] of Object.entries(raw.values)) {
    const [namespace, ...rest] = fullKey.split(':');
    if (namespace !== raw.namespace) continue;
    const name = rest.join(':');
    if (!isConfigKey(name)) {
      problems.push(unknownKeyProblem(name));
      continue;
    }
    const value = decodeText(text, kinds[name]);
    const result = ConfigSchema.shape[name].safeParse(value);
    if (result.success) {
      values[name] = value;
    } else {
      badKeys.add(name);
      const secret = raw.isSecret(fullKey);
      problems.push(...result.error.issues.map((issue) => toProblem(name, value, secret, issue)));
    }
  }
  return { config: ConfigSchema.parse(values), badKeys, problems };
}
