/** Which collections each of the last publishes had: one that is in none of them was made since. */
import { join } from 'node:path';
import { z } from 'zod';
import { readIfPresent, writeDurably } from '../state/durable-file';

const Index = z.array(z.object({ id: z.string(), collections: z.array(z.string()) }));

/** As many as the tables can go back to, and some. */
const KEPT = 64;

export interface PublishNote {
  readonly id: string;
  readonly collections: readonly string[];
}

export class PublishIndex {
  private readonly path: string;

  constructor(folder: string) {
    this.path = join(folder, 'publishes.json');
  }

  async add(id: string, collections: readonly string[]): Promise<void> {
    const notes = [...(await this.read()).filter((note) => note.id !== id), { id, collections }];
    await writeDurably(this.path, JSON.stringify(notes.slice(-KEPT)));
  }

  /** The newest publish up to the one named, or null. */
  async upTo(id: string): Promise<PublishNote | null> {
    return (await this.read()).filter((note) => note.id <= id).at(-1) ?? null;
  }

  /** What cannot be read tells nothing: then every point counts as this site's own. */
  private async read(): Promise<readonly PublishNote[]> {
    try {
      return Index.parse(JSON.parse((await readIfPresent(this.path)) ?? '[]'));
    } catch (error) {
      if (error instanceof SyntaxError || error instanceof z.ZodError) return [];
      throw error;
    }
  }
}
