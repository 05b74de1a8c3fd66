import { FailoverError } from '../errors';
import { type ConfigKey, STACK_KEYS } from './schema';

/** One thing wrong with the configuration. */
export interface Problem {
  /** Key, or a path below one such as `servers[0].hostKey`. */
  readonly key: string;
  /** Absent when the value says nothing or must not be shown. */
  readonly got?: unknown;
  readonly allowed: string;
  /** What to do, when it is more than setting the key. */
  readonly fix?: string;
}

const GOT_LIMIT = 160;

export function describeValue(value: unknown): string {
  if (value === undefined || value === '') return 'nothing';
  const text = JSON.stringify(value);
  return text.length > GOT_LIMIT ? `${text.slice(0, GOT_LIMIT)}…` : text;
}

function whereToSet(key: string, stack: string): string {
  const top = key.replace(/[.[].*$/, '') as ConfigKey;
  return STACK_KEYS.has(top)
    ? `Set failover:${top} in Pulumi.${stack}.yaml.`
    : `Set the default of ${top} in Pulumi.yaml, where every stack reads it.`;
}

export class ConfigurationError extends FailoverError {
  constructor(
    readonly stackName: string,
    readonly problems: readonly Problem[],
  ) {
    const lines = problems.map(({ key, allowed, fix, ...rest }, index) => {
      const got = 'got' in rest ? `got ${describeValue(rest.got)}; ` : '';
      return `  ${index + 1}. failover:${key}: ${got}allowed: ${allowed}. ${fix ?? whereToSet(key, stackName)}`;
    });
    const count = problems.length === 1 ? 'one problem' : `${problems.length} problems`;
    super(
      'CONFIGURATION_INVALID',
      `stack ${stackName} has ${count} in its configuration; nothing was touched.\n${lines.join('\n')}`,
    );
  }
}
