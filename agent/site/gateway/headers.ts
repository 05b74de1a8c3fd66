/** Headers across the gateway: hop-by-hop ones stay, the client's key is replaced by Qdrant's. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
const NOT_FORWARDED = new Set([...HOP_BY_HOP, 'host', 'expect', 'authorization', 'api-key']);

/** Flat list of names and values, as Node and undici both keep them. */
export function upstreamHeaders(raw: readonly string[], apiKey: string): string[] {
  const kept: string[] = ['api-key', apiKey];
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] ?? '';
    if (!NOT_FORWARDED.has(name.toLowerCase())) kept.push(name, raw[index + 1] ?? '');
  }
  return kept;
}

export function downstreamHeaders(raw: readonly Buffer[]): string[] {
  const kept: string[] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index]?.toString('latin1') ?? '';
    if (!HOP_BY_HOP.has(name.toLowerCase())) kept.push(name, raw[index + 1]?.toString('latin1') ?? '');
  }
  return kept;
}
