/**
 * Which Qdrant requests clients may send through the write gateway. A table, not a rule: what is not in it is refused,
 * so an endpoint of a later Qdrant is closed until somebody has looked at it.
 */
import type { Reason } from '../../../infra/contract/agent-api';

const SEGMENT = '[^/]+';

/** Every write of Qdrant's API that concerns data; `*` is one segment. */
const WRITES: readonly (readonly [method: string, path: string])[] = [
  ['POST', '/collections/aliases'],
  ['PUT', '/collections/*'],
  ['PATCH', '/collections/*'],
  ['DELETE', '/collections/*'],
  ['PUT', '/collections/*/index'],
  ['DELETE', '/collections/*/index/*'],
  ['PUT', '/collections/*/vectors/*'],
  ['DELETE', '/collections/*/vectors/*'],
  ['PUT', '/collections/*/points'],
  ['POST', '/collections/*/points/batch'],
  ['POST', '/collections/*/points/delete'],
  ['POST', '/collections/*/points/payload'],
  ['PUT', '/collections/*/points/payload'],
  ['POST', '/collections/*/points/payload/clear'],
  ['POST', '/collections/*/points/payload/delete'],
  ['PUT', '/collections/*/points/vectors'],
  ['POST', '/collections/*/points/vectors/delete'],
];

const MATCHERS = new Map<string, RegExp[]>();
for (const [method, path] of WRITES) {
  const pattern = new RegExp(`^${path.split('*').join(SEGMENT)}$`);
  MATCHERS.set(method, [...(MATCHERS.get(method) ?? []), pattern]);
}

/** Paths by which data could be taken, overwritten or moved behind the lease's back: the agent alone uses them. */
const OPERATORS_ONLY =
  /^\/(snapshots|cluster|telemetry|metrics|issues)(\/|$)|\/(snapshots?|shards|cluster|recover)(\/|$)/;

export type Verdict =
  { readonly allowed: true } | { readonly allowed: false; readonly status: number; readonly reason: Reason };

export function judgeWrite(method: string, url: string): Verdict {
  const path = url.split('?', 1)[0] ?? '';
  if (!isPlainPath(path)) {
    return refuse(
      400,
      'PATH_AMBIGUOUS',
      `The path ${path} has empty, dot or encoded-slash segments. Send it in its plain form.`,
    );
  }
  if (MATCHERS.get(method)?.some((pattern) => pattern.test(path)) === true) return { allowed: true };
  if (OPERATORS_ONLY.test(path)) {
    return refuse(
      403,
      'OPERATORS_ONLY',
      `${method} ${path} is not open to clients: snapshots, shards and clusters are the site agent's.`,
    );
  }
  return refuse(404, 'NOT_FOUND', `${method} ${path} is not a write that this service offers.`);
}

/** True for every path of the collection, however its name is encoded. */
export function namesCollection(url: string, name: string): boolean {
  const [, root, segment = ''] = url.split('?', 1)[0]?.split('/') ?? [];
  if (root !== 'collections') return false;
  try {
    return decodeURIComponent(segment) === name;
  } catch {
    return false;
  }
}

/** Anything that two servers could read differently is refused rather than cleaned. */
function isPlainPath(path: string): boolean {
  if (path === '/') return true;
  if (!path.startsWith('/') || /%(2f|5c|00)/i.test(path) || /[\\#\0]/.test(path)) return false;
  return path
    .slice(1)
    .split('/')
    .every((segment) => {
      const plain = segment.replace(/%2e/gi, '.');
      return plain !== '' && plain !== '.' && plain !== '..';
    });
}

function refuse(status: number, code: string, message: string): Verdict {
  return { allowed: false, status, reason: { code, message } };
}
