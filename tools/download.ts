import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';

/** The vendor's file could not be had; the caller takes the next way in. */
export class DownloadFailedError extends Error {
  readonly code = 'DOWNLOAD_FAILED';
  constructor(
    readonly url: string,
    reason: string,
  ) {
    super(`${url} could not be downloaded: ${reason}`);
    this.name = 'DownloadFailedError';
  }
}

/** What came is not what the vendor published: never used, and never retried silently. */
export class ChecksumMismatchError extends Error {
  readonly code = 'CHECKSUM_MISMATCH';
  constructor(url: string, expected: string, actual: string) {
    super(
      `${url} has SHA-256 ${actual} where its checksum file says ${expected}. ` +
        'Something between here and the vendor changes downloads; do not use that network for this.',
    );
    this.name = 'ChecksumMismatchError';
  }
}

/** Silence for this long before the first byte means that the vendor cannot be reached from here. */
const FIRST_BYTE_MS = 3_000;
const WHOLE_MS = 300_000;

/** Fetches a URL, giving up soon where nobody answers and later where the answer is slow. */
export async function fetchBytes(url: string, firstByteMs = FIRST_BYTE_MS): Promise<Buffer> {
  const abort = new AbortController();
  let timer = setTimeout(() => abort.abort(new Error(`no answer within ${firstByteMs} ms`)), firstByteMs);
  try {
    const response = await fetch(url, { signal: abort.signal, redirect: 'follow' });
    clearTimeout(timer);
    timer = setTimeout(() => abort.abort(new Error(`not complete within ${WHOLE_MS} ms`)), WHOLE_MS);
    if (!response.ok) throw new DownloadFailedError(url, `HTTP ${response.status}`);
    return Buffer.from(await response.arrayBuffer());
  } catch (error) {
    if (error instanceof DownloadFailedError) throw error;
    throw new DownloadFailedError(url, reasonOf(error));
  } finally {
    clearTimeout(timer);
  }
}

/** The message with its cause, which for a failed fetch is the part that says something. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as {
    readonly message?: unknown;
    readonly cause?: { readonly message?: unknown };
  };
  return [message ?? String(error), cause?.message].filter((part) => part !== undefined).join(': ');
}

/** SHA-256 that a `sha256sum`-style file states for a file name; undefined where it has no such line. */
export function checksumOf(checksums: string, fileName: string): string | undefined {
  for (const line of checksums.split('\n')) {
    const match = /^([0-9a-f]{64})\s+\*?(\S+)$/.exec(line.trim());
    if (match?.[2] === fileName) return match[1];
  }
  return undefined;
}

export interface VerifiedDownload {
  readonly url: string;
  /** The vendor's checksum file; a file that it does not list is refused. */
  readonly checksumsUrl: string;
  /** Name of the file in the checksum file. */
  readonly fileName: string;
  readonly target: string;
}

/** Downloads a vendor's file and checks it against the checksums that the vendor published beside it. */
export async function downloadVerified(
  { url, checksumsUrl, fileName, target }: VerifiedDownload,
  get: (url: string) => Promise<Buffer> = fetchBytes,
): Promise<void> {
  // The checksums first: they are small, so an unreachable vendor costs one short attempt and no more.
  const expected = checksumOf((await get(checksumsUrl)).toString('utf8'), fileName);
  if (expected === undefined) throw new DownloadFailedError(checksumsUrl, `it does not list ${fileName}`);
  const content = await get(url);
  const actual = createHash('sha256').update(content).digest('hex');
  if (actual !== expected) throw new ChecksumMismatchError(url, expected, actual);
  await writeFile(target, content);
}
