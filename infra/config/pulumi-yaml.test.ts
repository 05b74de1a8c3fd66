import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { CONFIG_KEYS, ConfigSchema, STACK_KEYS, valueKinds } from './schema';

const root = join(__dirname, '..', '..');
const Declaration = z.strictObject({
  type: z.string(),
  items: z.strictObject({ type: z.string() }).optional(),
  description: z.string().min(20),
  default: z.unknown(),
});
const Project = z.object({ name: z.literal('failover'), config: z.record(z.string(), Declaration) });
const project = Project.parse(parse(readFileSync(join(root, 'Pulumi.yaml'), 'utf8')));

describe('Pulumi.yaml and the schema', () => {
  it('declare the same keys', () => {
    expect(Object.keys(project.config).sort()).toEqual([...CONFIG_KEYS].sort());
  });

  it('agree on every type', () => {
    const declared = Object.fromEntries(Object.entries(project.config).map(([key, { type }]) => [key, type]));
    expect(declared).toEqual(valueKinds());
  });

  it('agree on every default', () => {
    const declared = Object.fromEntries(
      Object.entries(project.config).map(([key, value]) => [key, value.default]),
    );
    expect(declared).toEqual(ConfigSchema.parse({}));
  });

  it('say what the items of every list are, as the engine demands', () => {
    const lists = Object.entries(project.config).filter(([, { type }]) => type === 'array');
    expect(lists.filter(([, { items }]) => items === undefined)).toEqual([]);
  });
});

describe.each(['uk-primary', 'eu-standby', 'witness'])('Pulumi.%s.yaml', (stack) => {
  const StackFile = z.object({ config: z.record(z.string(), z.unknown()) });
  const { config } = StackFile.parse(parse(readFileSync(join(root, `Pulumi.${stack}.yaml`), 'utf8')));
  const keys = Object.keys(config).map((key) => key.replace(/^failover:/, ''));

  it('holds only what differs from stack to stack', () => {
    expect(keys.filter((key) => !(STACK_KEYS as ReadonlySet<string>).has(key))).toEqual([]);
  });

  it('has values of the right shape', () => {
    const values = Object.fromEntries(Object.entries(config).map(([key, value]) => [key.slice(9), value]));
    expect(() => ConfigSchema.parse(values)).not.toThrow();
  });
});

describe('docs/configuration.md', () => {
  const document = readFileSync(join(root, 'docs', 'configuration.md'), 'utf8');
  const row = (key: string) => new RegExp(`^\\| \`${key}\` +\\| \`(.*?)\` +\\|`, 'm').exec(document)?.[1];
  const written = (value: unknown) =>
    value === '' ? '""' : typeof value === 'string' ? value : JSON.stringify(value).replaceAll(',', ', ');

  it.each(CONFIG_KEYS)('tells of %s and its default', (key) => {
    expect(row(key)).toBe(written(project.config[key]?.default));
  });
});
