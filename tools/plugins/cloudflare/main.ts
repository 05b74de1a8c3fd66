/**
 * The test-only `cloudflare` plugin: the types that our program uses, against an emulator on this machine. It refuses any
 * other base URL, so that it can never be taken for the vendor's plugin and pointed at an account.
 */
import { VERSIONS } from '../../versions';
import type { JsonMap } from '../protocol/json';
import { serve } from '../protocol/server';
import { plain, type Wire, type WireMap } from '../protocol/values';
import { cloudflareApi } from './api';
import { cloudflareResource, snake } from './resource';
import { TYPES } from './types';

let baseUrl: string | undefined;
let token: string | undefined;

/** The vendor's own names for both. */
function configure(variables: WireMap): void {
  const { baseUrl: url, apiToken } = plain(variables as Wire) as JsonMap;
  baseUrl = String(url ?? process.env['CLOUDFLARE_BASE_URL'] ?? '').replace(/\/$/, '');
  token = String(apiToken ?? process.env['CLOUDFLARE_API_TOKEN'] ?? '');
  if (!baseUrl.startsWith('http://127.0.0.1:'))
    throw new Error(
      `cloudflare:baseUrl is ${JSON.stringify(baseUrl)}: this plugin works against an emulator on 127.0.0.1 only, and is started by its tests`,
    );
  if (token === '') throw new Error('cloudflare:apiToken is not set');
}

const ask = cloudflareApi(() => {
  if (baseUrl === undefined || token === undefined)
    throw new Error('the engine has not configured this plugin');
  return { baseUrl, token };
});

const ZONE_FACTS = ['name', 'status', 'paused', 'type', 'nameServers'] as const;

async function getZone(args: WireMap): Promise<WireMap> {
  const { zoneId, ...others } = args;
  if (typeof zoneId !== 'string' || Object.keys(others).length > 0)
    throw new TypeError(`getZone takes a zoneId alone here, got ${Object.keys(args).join(', ')}`);
  const zone = (await ask({ method: 'GET', path: `/zones/${zoneId}` })) as WireMap;
  return {
    id: zoneId,
    zoneId,
    ...Object.fromEntries(ZONE_FACTS.map((name) => [name, zone[snake(name)] ?? null])),
  };
}

serve(
  {
    name: 'cloudflare',
    version: VERSIONS.emulatedCloudflare,
    acceptSecrets: true,
    resources: Object.fromEntries(
      Object.entries(TYPES).map(([type, description]) => [type, cloudflareResource(description, ask)]),
    ),
    functions: { 'cloudflare:index/getZone:getZone': getZone },
    configure,
  },
  process.argv.slice(2),
).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
});
