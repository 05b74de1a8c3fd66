/** A publish as its manifest describes it: everything that the other site needs to restore and to judge the result. */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { PublishInfo } from '../../../infra/contract/agent-api';
import { AgentError } from '../../shared/errors';

const count = z.number().int().nonnegative();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const pointId = z.union([z.string(), z.number()]);
/** Collection names become folder names in the staging area: nothing that could climb out of it. */
const collectionName = z
  .string()
  .min(1)
  .max(255)
  .refine(
    (name) => !/[/\\\0]/.test(name) && name !== '.' && name !== '..',
    'a collection name without / or \\',
  );

/** Size and digest are those of the snapshot that Qdrant is given to recover from. */
const Shard = z.object({
  shardId: count,
  /** Custom sharding: the key that this shard belongs to. */
  key: z.union([z.string(), z.number()]).nullable(),
  bytes: count,
  sha256,
});

/** A point that was there unchanged before and after the snapshot, and that its own vector finds. */
const Sample = z.object({
  id: pointId,
  digest: sha256,
  /** Null when the collection has no vector to ask with, or when strict mode forbids the question. */
  query: z.object({ vector: z.unknown(), using: z.string().nullable() }).nullable(),
});

/** Of all points at the cut, as `digest/bucket-sums` encodes it; or why this publish has none. */
const Digest = z.union([z.object({ points: count, sums: z.string() }), z.object({ absent: z.string() })]);

const Collection = z.object({
  name: collectionName,
  config: z.looseObject({ params: z.record(z.string(), z.unknown()) }),
  aliases: z.array(z.string()),
  payloadSchema: z.record(z.string(), z.object({ data_type: z.string(), params: z.unknown().optional() })),
  shards: z.array(Shard).min(1),
  /** Equal when writes were held throughout; else the true count lies between. */
  pointsMin: count,
  pointsMax: count,
  samples: z.array(Sample),
  /** Missing from publishes of agents that knew no digests. */
  digest: Digest.optional(),
});

export const Manifest = z.object({
  schemaVersion: z.literal(2),
  id: z.string().regex(/^\d{10}-\d{8}T\d{6}Z-[0-9a-f]{4}$/),
  site: z.string(),
  epoch: z.number().int().positive(),
  /** The publish that the publisher's data began from when it took the lease: what the other site may have beyond it, nobody else has. */
  basedOn: z.string().nullable().optional(),
  /** The publisher's wall clock, for people. */
  startedAt: z.string(),
  /** From the moment of the data until this manifest was written, by the publisher's monotonic clock. */
  capturedSeconds: z.number().nonnegative(),
  /** How long writes were held, and whether that was long enough for exact counts. */
  heldSeconds: z.number().nonnegative(),
  exact: z.boolean(),
  /** What the part store calls all parts of this publish together. */
  snapshot: z.string().regex(/^[0-9a-f]{64}$/),
  collections: z.array(Collection),
  versions: z.object({ agent: z.string(), qdrant: z.string() }),
  parity: z.object({
    configHash: z.string(),
    modelSha256: z.string(),
    replacesModelSha256: z.string().optional(),
    qdrantVersion: z.string(),
  }),
});

export type Manifest = z.output<typeof Manifest>;
export type ManifestCollection = z.output<typeof Collection>;
export type ManifestShard = z.output<typeof Shard>;
export type ManifestSample = z.output<typeof Sample>;

export class ManifestInvalidError extends AgentError {
  readonly code = 'MANIFEST_INVALID';
}

export function parseManifest(text: string, where: string): Manifest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ManifestInvalidError(`${where} is not JSON. Publish again from the active site.`, { cause });
  }
  const parsed = Manifest.safeParse(value);
  if (!parsed.success) {
    throw new ManifestInvalidError(
      `${where} is not a manifest of schema version 2: ${z.prettifyError(parsed.error)}. ` +
        'Run the same agent release on both sites and publish again.',
    );
  }
  return parsed.data;
}

/**
 * Ids of one epoch sort in the order of publishing, also when the publisher's clock was set back.
 *
 * @param after id that the new one must sort behind
 */
export function newPublishId(epoch: number, wallIso: string, after: string | null = null): string {
  const prefix = String(epoch).padStart(10, '0');
  const previous =
    after !== null && after.startsWith(`${prefix}-`) ? timeOf(after) : Number.NEGATIVE_INFINITY;
  const time = Math.max(Math.floor(Date.parse(wallIso) / 1000) * 1000, previous + 1000);
  const compact = new Date(time).toISOString().replace(/[-:]|\.\d+/g, '');
  return `${prefix}-${compact}-${randomBytes(2).toString('hex')}`;
}

function timeOf(id: string): number {
  const match = /^\d{10}-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-/.exec(id);
  if (match === null) return Number.NEGATIVE_INFINITY;
  const [, year, month, day, hour, minute, second] = match;
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

export function publishInfo(manifest: Manifest): PublishInfo {
  let points = 0;
  let bytes = 0;
  for (const collection of manifest.collections) {
    points += collection.pointsMax;
    for (const shard of collection.shards) bytes += shard.bytes;
  }
  return { id: manifest.id, site: manifest.site, epoch: manifest.epoch, points, bytes };
}
