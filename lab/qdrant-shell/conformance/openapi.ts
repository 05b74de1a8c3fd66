/**
 * Holds answers against Qdrant's OpenAPI description. The description is the vendor's and not part of this repository:
 * `QDRANT_OPENAPI` names a copy; without one these checks are skipped and say so.
 */
import { existsSync, readFileSync } from 'node:fs';

interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly nullable?: boolean;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly minimum?: number;
}

interface Response {
  readonly content?: { readonly 'application/json'?: { readonly schema?: Schema } };
}

interface Document {
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, { readonly responses: Readonly<Record<string, Response>> }>>>
  >;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

/** An answer is not of the shape that the description promises. */
export class ShapeMismatchError extends Error {
  readonly code = 'SHAPE_MISMATCH';
  constructor(where: string, problems: readonly string[]) {
    super(`${where} is not as Qdrant's OpenAPI describes it:\n  ${problems.join('\n  ')}`);
    this.name = 'ShapeMismatchError';
  }
}

export const OPENAPI = process.env['QDRANT_OPENAPI'];

export function loadSpec(file: string | undefined = OPENAPI): Spec | undefined {
  if (file === undefined || file === '') return undefined;
  if (!existsSync(file)) throw new Error(`QDRANT_OPENAPI names ${file}, which does not exist`);
  return new Spec(JSON.parse(readFileSync(file, 'utf8')) as Document);
}

export class Spec {
  private readonly routes: readonly { readonly pattern: RegExp; readonly path: string }[];

  constructor(private readonly document: Document) {
    this.routes = Object.keys(document.paths)
      .sort((a, b) => variables(a) - variables(b)) // `/points/query` before `/points/{id}`
      .map((path) => ({ path, pattern: new RegExp(`^${path.replace(/\{[^}]+\}/g, '[^/]+')}/?$`) }));
  }

  /** Throws {@link ShapeMismatchError}; paths that are not described pass. */
  check(method: string, url: string, status: number, body: unknown): void {
    const { pathname } = new URL(url, 'http://localhost');
    const route = this.routes.find(({ pattern }) => pattern.test(pathname));
    if (route === undefined) return;
    const operation = this.document.paths[route.path]?.[method.toLowerCase()];
    const responses = operation?.responses;
    if (responses === undefined) return;
    const described =
      responses[String(status)] ??
      responses[`${String(status)[0]}XX`] ??
      (status >= 400 ? responses['default'] : undefined);
    const schema = described?.content?.['application/json']?.schema;
    if (schema === undefined) return;
    const problems = this.problems(schema, body, '$');
    if (problems.length > 0) throw new ShapeMismatchError(`${method} ${url} (${status})`, problems);
  }

  problems(schema: Schema, value: unknown, at: string): string[] {
    if (schema.$ref !== undefined) {
      const name = schema.$ref.split('/').pop() ?? '';
      const target = this.document.components.schemas[name];
      return target === undefined ? [`${at}: no schema ${name}`] : this.problems(target, value, at);
    }
    if (value === null) {
      const nullable =
        schema.nullable === true || (schema.anyOf ?? []).some((option) => option.nullable === true);
      return nullable || Object.keys(schema).length === 0 ? [] : [`${at}: null is not allowed`];
    }
    return [
      ...this.alternatives(schema, value, at),
      ...(schema.allOf ?? []).flatMap((part) => this.problems(part, value, at)),
      ...this.plain(schema, value, at),
    ];
  }

  private alternatives(schema: Schema, value: unknown, at: string): string[] {
    const options = (schema.anyOf ?? schema.oneOf)?.filter((option) => !isOnlyNullable(option));
    if (options === undefined || options.length === 0) return [];
    const tried = options.map((option) => this.problems(option, value, at));
    if (tried.some((problems) => problems.length === 0)) return [];
    return [`${at}: fits none of ${options.length} alternatives; the first: ${(tried[0] ?? []).join('; ')}`];
  }

  private plain(schema: Schema, value: unknown, at: string): string[] {
    if (schema.enum !== undefined && !schema.enum.includes(value)) {
      return [`${at}: ${JSON.stringify(value)} is none of ${JSON.stringify(schema.enum)}`];
    }
    if (schema.type !== undefined && !hasType(schema.type, value)) {
      return [`${at}: expected ${schema.type}, got ${JSON.stringify(value)?.slice(0, 80)}`];
    }
    if (schema.minimum !== undefined && typeof value === 'number' && value < schema.minimum) {
      return [`${at}: ${value} is below ${schema.minimum}`];
    }
    if (Array.isArray(value)) {
      const { items } = schema;
      return items === undefined ? [] : value.flatMap((item, i) => this.problems(items, item, `${at}[${i}]`));
    }
    return typeof value === 'object' && value !== null
      ? this.members(schema, value as Record<string, unknown>, at)
      : [];
  }

  private members(schema: Schema, value: Record<string, unknown>, at: string): string[] {
    const { properties = {}, additionalProperties: others } = schema;
    const missing = (schema.required ?? [])
      .filter((name) => !(name in value))
      .map((name) => `${at}: no ${name}`);
    const wrong = Object.entries(value).flatMap(([name, member]) => {
      const known = properties[name] ?? (typeof others === 'object' ? others : undefined);
      if (known !== undefined) return this.problems(known, member, `${at}.${name}`);
      return others === false ? [`${at}: ${name} is not described`] : [];
    });
    return [...missing, ...wrong];
  }
}

function variables(path: string): number {
  return path.split('{').length;
}

function isOnlyNullable(schema: Schema): boolean {
  return schema.nullable === true && Object.keys(schema).length === 1;
}

function hasType(type: string, value: unknown): boolean {
  if (type === 'integer') return Number.isInteger(value);
  if (type === 'array') return Array.isArray(value);
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value);
  return typeof value === type;
}
