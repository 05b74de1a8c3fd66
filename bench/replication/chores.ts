/** What is done to the data between the measurements, and how a copy is held to it. */
import { setTimeout as delay } from 'node:timers/promises';
import { QdrantClient } from '@qdrant/js-client-rest';
import { changedIds, createCollection, differenceFrom, untilSettled, write } from './data';
import { API_KEY } from './settings';

export interface ChoreInput {
  readonly port: number;
  readonly points: number;
  readonly round?: number;
  /** Of the points that were changed; all others are of version 0. */
  readonly versions?: readonly (readonly [id: number, version: number])[];
  readonly what?: string;
}

export async function createData({ port, points }: ChoreInput): Promise<void> {
  const client = clientOf(port);
  await createCollection(client);
  const ids = Array.from({ length: points }, (_, id) => id);
  await write(client, ids, 0);
  await untilSettled(client, pause);
}

export async function changeData({ port, points, round = 0 }: ChoreInput): Promise<void> {
  const client = clientOf(port);
  await write(client, changedIds(points, round), round);
  await untilSettled(client, pause);
}

export async function checkData({ port, points, versions = [], what = '' }: ChoreInput): Promise<void> {
  const known = new Map(versions);
  const wrong = await differenceFrom(clientOf(port), points, (id) => known.get(id) ?? 0);
  if (wrong !== null) throw new Error(`the copy by ${what} is not the data: ${wrong}`);
}

/** Flushes come every five seconds; a quiet server has none to make. */
const pause = (): Promise<void> => delay(2_000);

const clientOf = (port: number): QdrantClient =>
  new QdrantClient({
    url: `http://127.0.0.1:${port}`,
    apiKey: API_KEY,
    checkCompatibility: false,
    timeout: 600_000,
  });
