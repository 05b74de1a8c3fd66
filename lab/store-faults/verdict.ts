/**
 * What a faulty object store does with a request: the four ways in which one can be trusted less than its contract
 * says. A pure decision; the proxy carries it out.
 */

/** Faults that hold at this moment; several may at once. */
export interface StoreFaults {
  /** Every request is held so long before the store sees it, whether or not its sender still waits. */
  readonly slowSeconds?: number;
  /** Every request is answered with an error, in turn 500 and 503; every second write is carried out before. */
  readonly errors?: boolean;
  /** Reads of the lease and of the pointer show what the store held so long ago. */
  readonly staleSeconds?: number;
  /** Of so many writes of the lease one is acknowledged and never happens; 1: every one. */
  readonly losesOneOf?: number;
}

/** One state that an object has had, as far as the proxy has seen. */
export interface Version {
  readonly at: number;
  readonly etag: string;
  readonly body: Buffer;
}

export interface StoreRequest {
  readonly method: string;
  /** Path of the object, without the query. */
  readonly path: string;
  readonly ifMatch: string | null;
  /** Counts requests from 1, and writes of the lease likewise. */
  readonly number: number;
  readonly leaseWrite: number;
}

export type Verdict =
  | { readonly kind: 'pass' }
  | { readonly kind: 'error'; readonly status: 500 | 503; readonly carriedOut: boolean }
  | { readonly kind: 'stale'; readonly version: Version }
  | { readonly kind: 'lose' };

const LEASE = /\/lease\.json$/;

/** The small objects by which the sites steer; whole snapshots are too large to be remembered. */
export const isRemembered = (path: string): boolean => LEASE.test(path) || path.endsWith('/latest');

export const isLeaseWrite = (method: string, path: string): boolean => method === 'PUT' && LEASE.test(path);

/** `versions`, oldest first, are those of the object asked for. */
export function judge(
  faults: StoreFaults,
  request: StoreRequest,
  versions: readonly Version[],
  now: number,
): Verdict {
  if (faults.errors === true) {
    const write = request.method !== 'GET' && request.method !== 'HEAD';
    const odd = request.number % 2 === 1;
    return { kind: 'error', status: odd ? 500 : 503, carriedOut: write && odd };
  }
  const { staleSeconds, losesOneOf } = faults;
  if (staleSeconds !== undefined && request.method === 'GET') {
    const version = versionAsOf(versions, now - staleSeconds * 1000);
    if (version !== null) return { kind: 'stale', version };
  }
  if (losesOneOf !== undefined && isLeaseWrite(request.method, request.path)) {
    // Only what the store would have accepted can be lost; the rest it may refuse itself.
    const accepted = request.ifMatch !== null && request.ifMatch === versions.at(-1)?.etag;
    if (accepted && request.leaseWrite % losesOneOf === 0) return { kind: 'lose' };
  }
  return { kind: 'pass' };
}

/** What the object was at that time; its first known state where it was not known yet. */
function versionAsOf(versions: readonly Version[], time: number): Version | null {
  return versions.filter((version) => version.at <= time).at(-1) ?? versions[0] ?? null;
}
