import { isArchive, isAsset, isList, isMap, isSecret, sameValue, Wire, WireMap } from './values';

export type ChangeKind = 'add' | 'delete' | 'update';

/** One changed property: its path as the engine writes it, e.g. `triggers[0]`, and what happened to it. */
export interface Change {
  readonly path: string;
  readonly kind: ChangeKind;
}

/** What differs between old and new inputs, as deep as plain objects and lists go; secrets and assets as wholes. */
export function changesBetween(olds: WireMap, news: WireMap): readonly Change[] {
  return [...objectChanges('', olds, news)];
}

/** First part of a change's path: the name of the input. */
export function inputOf(change: Change): string {
  return /^[^.[]+/.exec(change.path)?.[0] ?? change.path;
}

function* objectChanges(prefix: string, olds: WireMap, news: WireMap): Generator<Change> {
  for (const key of new Set([...Object.keys(olds), ...Object.keys(news)])) {
    const path = join(prefix, key);
    const before = olds[key] ?? null;
    const after = news[key] ?? null;
    if (before === null && after === null) continue;
    if (before === null) yield { path, kind: 'add' };
    else if (after === null) yield { path, kind: 'delete' };
    else yield* valueChanges(path, before, after);
  }
}

function* valueChanges(path: string, before: Wire, after: Wire): Generator<Change> {
  if (isList(before) && isList(after)) {
    for (let i = 0; i < Math.max(before.length, after.length); i++) {
      const at = `${path}[${i}]`;
      if (i >= before.length) yield { path: at, kind: 'add' };
      else if (i >= after.length) yield { path: at, kind: 'delete' };
      else yield* valueChanges(at, before[i] as Wire, after[i] as Wire);
    }
  } else if (isObject(before) && isObject(after)) {
    yield* objectChanges(path, before, after);
  } else if (!sameValue(before, after)) {
    yield { path, kind: before === null ? 'add' : after === null ? 'delete' : 'update' };
  }
}

function isObject(value: Wire): value is WireMap {
  return isMap(value) && !isSecret(value) && !isAsset(value) && !isArchive(value);
}

function join(prefix: string, key: string): string {
  if (!/^[A-Za-z_$][\w$]*$/.test(key)) return `${prefix}[${JSON.stringify(key)}]`;
  return prefix === '' ? key : `${prefix}.${key}`;
}
