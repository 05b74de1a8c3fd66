import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { renderSums } from '../../../../infra/contract/weights';
import type { WeightsStore } from '../store';

export const digest = (content: string | Buffer): string =>
  createHash('sha256').update(content).digest('hex');

const CHUNK = 1024;

/** A store of weights in memory, whose connections break when they are told to. */
export class MemoryWeights implements WeightsStore {
  readonly objects = new Map<string, Buffer>();
  /** Told of every chunk before it is given: throws to break the connection. */
  onChunk: (sha256: string, at: number) => void = () => undefined;
  /** The first byte of each answer. */
  readonly opened: { readonly sha256: string; readonly from: number }[] = [];
  sent = 0;
  open = (sha256: string, from: number): Promise<Readable> => {
    const content = this.objects.get(sha256);
    if (content === undefined) return Promise.reject(new Error(`no object ${sha256}`));
    this.opened.push({ sha256, from });
    return Promise.resolve(Readable.from(this.chunks(sha256, content, from)));
  };

  size(sha256: string): Promise<number | null> {
    return Promise.resolve(this.objects.get(sha256)?.length ?? null);
  }

  close(): void {
    this.objects.clear();
  }

  /** Answers the hash of the version's list. */
  publish(files: Readonly<Record<string, Buffer>>, source = 'example/tiny at 0123abc'): string {
    const list = Object.entries(files).map(([path, content]) => ({ path, sha256: digest(content) }));
    for (const content of Object.values(files)) this.objects.set(digest(content), content);
    const sums = Buffer.from(renderSums(list, source));
    this.objects.set(digest(sums), sums);
    return digest(sums);
  }

  private async *chunks(sha256: string, content: Buffer, from: number): AsyncGenerator<Buffer> {
    for (let at = from; at < content.length; at += CHUNK) {
      await Promise.resolve();
      this.onChunk(sha256, at);
      const chunk = content.subarray(at, at + CHUNK);
      this.sent += chunk.length;
      yield chunk;
    }
  }
}
