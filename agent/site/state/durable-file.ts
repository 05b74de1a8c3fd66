/** Replace a file so that after a power cut it has either the old content or the new, never a part of it. */
import { open, mkdir, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isNoSuchFile } from '../errors';

export async function writeDurably(path: string, content: string): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true });
  const temporary = `${path}.tmp`;
  const file = await open(temporary, 'w', 0o640);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  await syncFile(folder);
}

/** Of a file its content; of a folder the names in it, without which a rename is not durable. */
export async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The file's text, or null when it does not exist. */
export async function readIfPresent(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isNoSuchFile(error)) return null;
    throw error;
  }
}
