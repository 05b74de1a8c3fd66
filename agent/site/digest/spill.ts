/** Hashes of a whole collection on their way to its table: kept by bucket on disk, so that memory stays bounded. */
import { appendFile, mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isNoSuchFile } from '../errors';
import { BUCKETS, bucketOf } from './bucket-sums';
import type { IdKey, PointHash } from './point-hash';

/** Written out when so much has gathered. */
const FLUSH_CHARACTERS = 4 * 1024 * 1024;

export class Spill {
  private readonly waiting: string[] = new Array<string>(BUCKETS).fill('');
  private gathered = 0;

  private constructor(private readonly folder: string) {}

  static async create(folder: string): Promise<Spill> {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return new Spill(folder);
  }

  async add(key: IdKey, { payload, vectors }: PointHash): Promise<void> {
    const line = `${key}\t${payload}\t${vectors}\n`;
    this.waiting[bucketOf(key)] += line;
    this.gathered += line.length;
    if (this.gathered > FLUSH_CHARACTERS) await this.flush();
  }

  async bucket(bucket: number): Promise<Map<IdKey, PointHash>> {
    const points = new Map<IdKey, PointHash>();
    for (const line of `${await this.stored(bucket)}${this.waiting[bucket] ?? ''}`.split('\n')) {
      const [key = '', payload = '', vectors = ''] = line.split('\t');
      if (key !== '') points.set(key, { payload, vectors });
    }
    return points;
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  private async flush(): Promise<void> {
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      const text = this.waiting[bucket] ?? '';
      if (text !== '') await appendFile(this.file(bucket), text, { mode: 0o600 });
      this.waiting[bucket] = '';
    }
    this.gathered = 0;
  }

  private async stored(bucket: number): Promise<string> {
    try {
      return await readFile(this.file(bucket), 'utf8');
    } catch (error) {
      if (isNoSuchFile(error)) return '';
      throw error;
    }
  }

  private file(bucket: number): string {
    return join(this.folder, String(bucket));
  }
}
