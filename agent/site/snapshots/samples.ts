/** Known answers: a few points whose payload, vectors and own query can be compared after a restore. */
import { QdrantRequestError, type QdrantClient } from '../qdrant/client';
import type { CollectionConfig, PointId, QdrantPoint } from '../qdrant/types';
import { digestJson } from './hashing';
import type { ManifestSample } from './manifest';

export const SAMPLES_PER_COLLECTION = 3;
const NEIGHBOURS = 10;

type SampleQuery = NonNullable<ManifestSample['query']>;

/** Points from the front of the id order, each with the query that found it. */
export async function takeSamples(
  qdrant: QdrantClient,
  name: string,
  config: CollectionConfig,
): Promise<ManifestSample[]> {
  const points = await qdrant.scroll(name, {
    limit: SAMPLES_PER_COLLECTION,
    with_payload: true,
    with_vector: true,
  });
  const samples: ManifestSample[] = [];
  for (const point of points) {
    if (typeof point.id === 'number' && !Number.isSafeInteger(point.id)) continue;
    const query = sampleQuery(point, config);
    const found = query !== null && (await isFound(qdrant, name, point.id, query));
    samples.push({ id: point.id, digest: digestPoint(point), query: found ? query : null });
  }
  return samples;
}

/** Samples that read the same now as when they were taken: the others were being written to. */
export async function unchangedSamples(
  qdrant: QdrantClient,
  name: string,
  samples: readonly ManifestSample[],
): Promise<ManifestSample[]> {
  const digests = await digestsOf(qdrant, name, samples);
  return samples.filter((sample) => digests.get(String(sample.id)) === sample.digest);
}

/** One sentence per sample that does not read or is not found as it was. */
export async function compareSamples(
  qdrant: QdrantClient,
  name: string,
  samples: readonly ManifestSample[],
): Promise<string[]> {
  const differences: string[] = [];
  const digests = await digestsOf(qdrant, name, samples);
  for (const sample of samples) {
    const digest = digests.get(String(sample.id));
    if (digest === undefined) differences.push(`${name}: point ${sample.id} is missing`);
    else if (digest !== sample.digest) differences.push(`${name}: point ${sample.id} has other content`);
    else if (sample.query !== null && !(await isFound(qdrant, name, sample.id, sample.query))) {
      differences.push(`${name}: a query for the vector of point ${sample.id} does not find it`);
    }
  }
  return differences;
}

async function digestsOf(
  qdrant: QdrantClient,
  name: string,
  samples: readonly ManifestSample[],
): Promise<Map<string, string>> {
  if (samples.length === 0) return new Map();
  const points = await qdrant.retrieve(
    name,
    samples.map((sample) => sample.id),
  );
  return new Map(points.map((point) => [String(point.id), digestPoint(point)]));
}

function digestPoint(point: QdrantPoint): string {
  return digestJson({ id: point.id, payload: point.payload ?? {}, vector: point.vector ?? {} });
}

async function isFound(
  qdrant: QdrantClient,
  name: string,
  id: PointId,
  query: SampleQuery,
): Promise<boolean> {
  const body = {
    query: query.vector,
    limit: NEIGHBOURS,
    with_payload: false,
    ...(query.using === null ? {} : { using: query.using }),
  };
  try {
    const quick = await qdrant.query(name, body);
    if (quick.includes(id)) return true;
    const exact = await qdrant.query(name, { ...body, params: { exact: true } });
    return exact.includes(id);
  } catch (error) {
    // Strict mode may forbid either question: then the sample is compared by its content alone.
    if (error instanceof QdrantRequestError && error.status >= 400 && error.status < 500) return false;
    throw error;
  }
}

/** The first dense vector of the point, in the form that `points/query` takes. */
function sampleQuery(point: QdrantPoint, config: CollectionConfig): SampleQuery | null {
  const { vector } = point;
  if (Array.isArray(vector)) return vector.length === 0 ? null : { vector, using: null };
  if (vector === null || typeof vector !== 'object') return null;
  const named = vector as Record<string, unknown>;
  const declared = config.params['vectors'];
  const names = declared !== null && typeof declared === 'object' ? Object.keys(declared).sort() : [];
  for (const using of names) {
    const value = named[using];
    if (Array.isArray(value) && value.length > 0) return { vector: value, using };
  }
  return null;
}
