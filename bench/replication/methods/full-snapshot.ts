/** What most do: a snapshot of the collection, copied whole to the store and from there, and recovered. */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { QdrantClient } from '@qdrant/js-client-rest';
import { COLLECTION } from '../data';
import { API_KEY } from '../settings';
import { rclone } from './rclone';
import type { MethodInput } from './method';

const OBJECT = `${COLLECTION}.snapshot`;

export async function publish({ port, folder, endpoint, bucket }: MethodInput): Promise<void> {
  const client = clientOf(port);
  const made = await client.createSnapshot(COLLECTION, { wait: true });
  if (made === null) throw new Error('Qdrant made no snapshot');
  const file = path.join(folder, 'snapshots', COLLECTION, made.name);
  await rclone(['copyto', file, `:s3:${bucket}/${OBJECT}`], endpoint);
  await client.deleteSnapshot(COLLECTION, made.name, { wait: true });
}

export async function apply({ port, folder, endpoint, bucket }: MethodInput): Promise<void> {
  const file = path.join(folder, 'snapshots', OBJECT);
  await rclone(['copyto', `:s3:${bucket}/${OBJECT}`, file], endpoint);
  await clientOf(port).recoverSnapshot(COLLECTION, {
    location: `file://${file}`,
    priority: 'snapshot',
  });
  await rm(file);
}

const clientOf = (port: number): QdrantClient =>
  new QdrantClient({
    url: `http://127.0.0.1:${port}`,
    apiKey: API_KEY,
    checkCompatibility: false,
    timeout: 3_600_000,
  });
