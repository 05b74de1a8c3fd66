/** How Cloudflare's API says no, and the checks that several of its parts share. */
import { randomBytes } from 'node:crypto';
import type { z } from 'zod';

/** An answer with `success: false`. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly code: number,
    message: string,
  ) {
    super(message);
    this.name = 'Refusal';
  }
}

/**
 * The body, if the schema takes it.
 *
 * @param code what this part of the API answers with
 */
export function checked<T>(schema: z.ZodType<T>, body: unknown, code: number): T {
  const parsed = schema.safeParse(body ?? {});
  if (parsed.success) return parsed.data;
  const said = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
  throw new Refusal(400, code, `${said}: validation failed`);
}

/** 32 hexadecimal digits, as zones, records, pools, monitors and load balancers have. */
export const newId = (): string => randomBytes(16).toString('hex');

/** What exists, by id. */
export class Shelf<T extends { readonly id: string }> {
  private readonly items = new Map<string, T>();

  /** @param missing thrown when an id is not there */
  constructor(private readonly missing: (id: string) => Refusal) {}

  all(): readonly T[] {
    return [...this.items.values()];
  }

  find(id: string): T {
    const item = this.items.get(id);
    if (item === undefined) throw this.missing(id);
    return item;
  }

  has(id: string): boolean {
    return this.items.has(id);
  }

  put(item: T): T {
    this.items.set(item.id, item);
    return item;
  }

  /** Answers what was there. */
  take(id: string): T {
    const item = this.find(id);
    this.items.delete(id);
    return item;
  }
}
