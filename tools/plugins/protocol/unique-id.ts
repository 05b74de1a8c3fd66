import { randomBytes } from 'node:crypto';

/** An identity for a resource: a prefix and eight random hexadecimal digits. */
export function uniqueId(prefix: string): string {
  return prefix + randomBytes(4).toString('hex');
}
