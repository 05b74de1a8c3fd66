/** Bearer keys, compared in constant time. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { keyLines } from '../shared/key-lines';

export class KeyCheck {
  private readonly digests: readonly Buffer[];

  /** Each may be several, one a line. Empty keys never match. */
  constructor(keys: readonly string[]) {
    this.digests = keys.flatMap(keyLines).map(digest);
  }

  /** `Authorization: Bearer K`, or `api-key: K` where that is usual. */
  accepts(headers: IncomingHttpHeaders, allowApiKeyHeader = false): boolean {
    const given = presentedKey(headers, allowApiKeyHeader);
    if (given === null) return false;
    const hashed = digest(given);
    let matched = false;
    for (const known of this.digests) matched = timingSafeEqual(known, hashed) || matched;
    return matched;
  }
}

function presentedKey(headers: IncomingHttpHeaders, allowApiKeyHeader: boolean): string | null {
  const bearer = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
  if (bearer !== undefined) return bearer;
  const apiKey = headers['api-key'];
  return allowApiKeyHeader && typeof apiKey === 'string' && apiKey !== '' ? apiKey : null;
}

/** Digests are of one length, which timingSafeEqual needs, and hide the length of the key. */
function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
