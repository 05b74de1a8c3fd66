/**
 * What Qdrant's migration tool does: every point is read page by page and written to the other server, batch after batch. It
 * tells neither what changed nor what was deleted, so that each copy is of everything.
 */
import { QdrantClient } from '@qdrant/js-client-rest';
import { COLLECTION } from '../data';
import { API_KEY } from '../settings';
import type { MethodInput } from './method';

const BATCH = 500;

export async function copy({ port, peer }: MethodInput): Promise<void> {
  const options = { apiKey: API_KEY, checkCompatibility: false, timeout: 3_600_000 };
  const source = new QdrantClient({ url: `http://127.0.0.1:${port}`, ...options });
  const target = new QdrantClient({ url: peer, ...options });
  await prepare(source, target);
  let offset: string | number | undefined;
  do {
    const page = await source.scroll(COLLECTION, {
      limit: BATCH,
      with_payload: true,
      with_vector: true,
      ...(offset === undefined ? {} : { offset }),
    });
    const points = page.points.map(({ id, vector, payload }) => ({
      id,
      vector: vector as number[],
      payload: payload ?? {},
    }));
    if (points.length > 0) await target.upsert(COLLECTION, { points, wait: true });
    const next = page.next_page_offset;
    offset = typeof next === 'string' || typeof next === 'number' ? next : undefined;
  } while (offset !== undefined);
}

async function prepare(source: QdrantClient, target: QdrantClient): Promise<void> {
  if ((await target.collectionExists(COLLECTION)).exists) return;
  const { config, payload_schema: schema } = await source.getCollection(COLLECTION);
  await target.createCollection(COLLECTION, {
    vectors: config.params.vectors as { size: number; distance: 'Cosine' },
    shard_number: config.params.shard_number ?? 1,
  });
  for (const [field, index] of Object.entries(schema)) {
    if (index === undefined) continue;
    const asIt = { field_name: field, field_schema: index.data_type, wait: true };
    await target.createPayloadIndex(COLLECTION, asIt);
  }
}
