import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { ModelMismatchError } from './errors';
import { hashFile } from './real-host';

/**
 * Checks the model folder against the hash of its SHA256SUMS and every file against that list; files that the list does
 * not name are refused too, since an engine would load them.
 */
export async function verifyModel(directory: string, expectedSha256: string): Promise<number> {
  const sumsPath = path.join(directory, 'SHA256SUMS');
  const actual = await hashFile(sumsPath);
  if (actual !== expectedSha256) {
    throw new ModelMismatchError(
      `${sumsPath} should have SHA-256 ${expectedSha256} and has ${actual}: copy the pinned version of the model here`,
    );
  }
  const wanted = parseSums(await fs.readFile(sumsPath, 'utf8'), sumsPath);
  const present = (await listFiles(directory)).filter((file) => file !== 'SHA256SUMS');
  const strangers = present.filter((file) => !wanted.has(file));
  if (strangers.length > 0) {
    throw new ModelMismatchError(
      `${directory} holds files that SHA256SUMS does not name (${strangers.slice(0, 5).join(', ')}): remove them`,
    );
  }
  for (const [file, sum] of wanted) {
    if (!present.includes(file))
      throw new ModelMismatchError(`${directory} lacks ${file}: copy the model here again`);
    const has = await hashFile(path.join(directory, file));
    if (has !== sum) {
      throw new ModelMismatchError(
        `${file} of ${directory} should have SHA-256 ${sum} and has ${has}: copy the model here again`,
      );
    }
  }
  return wanted.size;
}

function parseSums(text: string, sumsPath: string): Map<string, string> {
  const sums = new Map<string, string>();
  for (const line of text.split('\n').filter((each) => each !== '')) {
    const match = /^([0-9a-f]{64}) [ *](?:\.\/)?(.+)$/.exec(line);
    if (match?.[1] === undefined || match[2] === undefined) {
      throw new ModelMismatchError(`${sumsPath} should hold lines as sha256sum prints them`);
    }
    sums.set(match[2], match[1]);
  }
  return sums;
}

async function listFiles(directory: string, below = ''): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await fs.readdir(path.join(directory, below), { withFileTypes: true })) {
    const name = path.join(below, entry.name);
    if (entry.isDirectory()) found.push(...(await listFiles(directory, name)));
    else found.push(name);
  }
  return found;
}
