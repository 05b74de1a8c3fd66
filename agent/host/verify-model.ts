import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { parseSums, SUMS_FILE } from '../../infra/contract/weights';
import { ModelMismatchError } from './errors';
import { hashFile } from './real-host';

/**
 * Checks the model folder against the hash of its SHA256SUMS and every file against that list; files that the list does
 * not name are refused too, since an engine would load them.
 */
export async function verifyModel(directory: string, expectedSha256: string): Promise<number> {
  const sumsPath = path.join(directory, SUMS_FILE);
  const actual = await hashFile(sumsPath);
  if (actual !== expectedSha256) {
    throw new ModelMismatchError(
      `${sumsPath} should have SHA-256 ${expectedSha256} and has ${actual}: remove the folder and apply again, which pulls the pinned version`,
    );
  }
  const sums = parseSums(await fs.readFile(sumsPath, 'utf8'));
  if (!sums.ok) throw new ModelMismatchError(`${sumsPath} is no list of weights: ${sums.problem}`);
  const wanted = new Map(sums.files.map(({ path: file, sha256 }) => [file, sha256]));
  const present = (await listFiles(directory)).filter((file) => file !== SUMS_FILE);
  const strangers = present.filter((file) => !wanted.has(file));
  if (strangers.length > 0) {
    throw new ModelMismatchError(
      `${directory} holds files that SHA256SUMS does not name (${strangers.slice(0, 5).join(', ')}): remove them`,
    );
  }
  for (const [file, sum] of wanted) {
    if (!present.includes(file))
      throw new ModelMismatchError(
        `${directory} lacks ${file}: remove ${directory} and apply again, which pulls it`,
      );
    const has = await hashFile(path.join(directory, file));
    if (has !== sum) {
      throw new ModelMismatchError(
        `${file} of ${directory} should have SHA-256 ${sum} and has ${has}: remove ${directory} and apply again, which pulls it`,
      );
    }
  }
  return wanted.size;
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
