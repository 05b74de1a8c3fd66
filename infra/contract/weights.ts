/**
 * Weights in the object store, as `failover model publish` puts them there and servers pull them: each file under its own
 * SHA-256, and under the SHA-256 of the list the list itself. So a version is named by one hash, what two versions share is
 * stored once, and nothing can be changed without being noticed.
 */

/** Below it in the bucket that also holds the snapshots, which every site may read. */
export const WEIGHTS_PREFIX = 'weights/';
/** The list of a version's files, in the format of `sha256sum`; lines that begin with # tell where they are from. */
export const SUMS_FILE = 'SHA256SUMS';
/** A list is small; a larger object under its hash is no list. */
export const MAX_SUMS_BYTES = 4 * 1024 * 1024;

export const weightsKey = (sha256: string): string => `${WEIGHTS_PREFIX}${sha256}`;

/** A version's folder on a server, below the one of all versions. */
export const versionFolder = (modelsFolder: string, sha256: string): string =>
  `${modelsFolder}/${sha256.slice(0, 12)}`;

export interface WeightsFile {
  /** Below the version's folder, with forward slashes. */
  readonly path: string;
  readonly sha256: string;
}

export type ParsedSums =
  | { readonly ok: true; readonly files: readonly WeightsFile[]; readonly source: string | null }
  | { readonly ok: false; readonly problem: string };

const LINE = /^([0-9a-f]{64}) [ *](?:\.\/)?(.+)$/;

/** Reads a list; refuses one that could write outside of its folder or does not say clearly what a file is. */
export function parseSums(text: string): ParsedSums {
  const files = new Map<string, WeightsFile>();
  const comments: string[] = [];
  for (const line of text.split('\n').filter((each) => each !== '')) {
    if (line.startsWith('#')) {
      comments.push(line.slice(1).trim());
      continue;
    }
    const [, sha256, path] = LINE.exec(line) ?? [];
    if (sha256 === undefined || path === undefined)
      return { ok: false, problem: 'it should hold lines as sha256sum prints them' };
    if (!isPlainPath(path))
      return { ok: false, problem: `it names ${path}, which is no path below its folder` };
    if (files.has(path)) return { ok: false, problem: `it names ${path} twice` };
    files.set(path, { path, sha256 });
  }
  if (files.size === 0) return { ok: false, problem: 'it names no file' };
  return { ok: true, files: [...files.values()], source: comments[0] ?? null };
}

/** A list whose bytes depend on nothing but the files and where they are from. */
export function renderSums(files: readonly WeightsFile[], source: string): string {
  const lines = [...files]
    .sort((a, b) => (a.path < b.path ? -1 : 1))
    .map(({ path, sha256 }) => `${sha256}  ${path}\n`);
  return `# ${source}\n${lines.join('')}`;
}

/** Of names that any file system and `sha256sum` itself take as they are. */
export function isPlainPath(path: string): boolean {
  return (
    !/[\\\p{Cc}]/u.test(path) &&
    path !== SUMS_FILE &&
    path.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
  );
}
