/** One endpoint: its method, its path below `/client/v4`, and what it answers. */

export interface ApiRequest {
  /** Parts of the path that the route names with a colon. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: unknown;
}

/** An answer with a `result_info`. */
export class Page {
  constructor(
    readonly result: readonly unknown[],
    readonly info: Readonly<Record<string, number>>,
  ) {}
}

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Such as `/zones/:zone/dns_records/:id`. */
  readonly path: string;
  /** The `result`. @throws Refusal */
  answer(request: ApiRequest): unknown;
}

export const param = ({ params }: ApiRequest, name: string): string => params[name] ?? '';

/** Undefined where the path is another's. */
export function match(path: string, actual: string): Readonly<Record<string, string>> | undefined {
  const wanted = path.split('/');
  const parts = actual.split('/');
  if (wanted.length !== parts.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const got = decodeURIComponent(parts[index] ?? '');
    if (part.startsWith(':')) params[part.slice(1)] = got;
    else if (part !== got) return undefined;
  }
  return params;
}
