/** One line of the list of what only one site had. */
import { z } from 'zod';
import { AgentError } from '../../shared/errors';
import { parseExact, stringifyExact } from '../digest/exact-json';
import { messageOf } from '../errors';

const Hash = z.object({ payload: z.string(), vectors: z.string() });
/** An id as Qdrant has it; integers beyond 2^53 are bigints here. */
const Id = z.union([z.string(), z.number(), z.bigint()]);
/** Null: the publish did not have the point. */
const BaseHash = z.union([Hash, z.null(), z.literal('unknown')]);

const Operation = z.discriminatedUnion('operation', [
  /** Before the collection's points; what makes it as it was. */
  z.object({
    operation: z.literal('create-collection'),
    collection: z.string(),
    body: z.record(z.string(), z.unknown()),
    indexes: z.array(z.object({ field: z.string(), schema: z.unknown() })),
    aliases: z.array(z.string()),
  }),
  /** For people: no merge deletes a collection. */
  z.object({ operation: z.literal('delete-collection'), collection: z.string() }),
  z.object({
    operation: z.literal('upsert'),
    collection: z.string(),
    id: Id,
    change: z.enum(['inserted', 'changed', 'unknown']),
    base: BaseHash,
    own: Hash,
    payload: z.unknown().optional(),
    vector: z.unknown().optional(),
  }),
  z.object({
    operation: z.literal('delete'),
    collection: z.string(),
    id: Id,
    base: Hash,
  }),
]);
export type Operation = z.output<typeof Operation>;
export type PointOperation = Extract<Operation, { operation: 'upsert' | 'delete' }>;

export class DivergedLineError extends AgentError {
  readonly code = 'DIVERGED_LINE_INVALID';
}

export function parseOperation(line: string): Operation {
  try {
    return Operation.parse(parseExact(line));
  } catch (cause) {
    throw new DivergedLineError(
      `This is no line of a list of diverged writes (${messageOf(cause)}): ${line.slice(0, 120)}. ` +
        'Send the lines as they were exported, from the same agent release.',
      { cause },
    );
  }
}

export function printOperation(operation: Operation): string {
  return stringifyExact(operation);
}
