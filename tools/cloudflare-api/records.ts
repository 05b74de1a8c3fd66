/**
 * Zones and their DNS records.
 *
 * Shapes: `zones` and `dns_records` of Cloudflare's published OpenAPI description, as its generated clients have them
 * (cloudflare-go `dns/record.go`, terraform-provider-cloudflare `internal/services/{zone,dns_record}/model.go`). Codes
 * 81044, 81058, 9005 and 9021 are those that the API's users report with these words.
 */
import { z } from 'zod';
import { checked, newId, Refusal, Shelf } from './refusal';
import { Page, param, type ApiRequest, type Route } from './route';

export interface ZoneSettings {
  readonly id: string;
  readonly name: string;
  readonly nameServers: readonly string[];
}

const DNS_VALIDATION = 9005;
const INVALID_TTL = 9021;
const AUTOMATIC_TTL = 1;

const RecordBody = z.strictObject({
  name: z.string().min(1).max(255),
  type: z.enum(['A']),
  ttl: z.number().int(),
  content: z.ipv4('Content for A record must be a valid IPv4 address.'),
  proxied: z.boolean().default(false),
  comment: z.string().max(100).nullish(),
});
type RecordBody = z.output<typeof RecordBody>;

export interface DnsRecord extends Omit<RecordBody, 'comment'> {
  readonly id: string;
  readonly comment: string | null;
  readonly created_on: string;
  readonly modified_on: string;
  readonly proxiable: boolean;
  readonly settings: Readonly<Record<string, never>>;
  readonly meta: Readonly<Record<string, never>>;
  readonly tags: readonly string[];
}

export class Zones {
  readonly records = new Map<string, Shelf<DnsRecord>>();

  constructor(
    private readonly zones: readonly ZoneSettings[],
    private readonly accountId: string,
  ) {
    for (const { id } of zones)
      this.records.set(id, new Shelf(() => new Refusal(404, 81044, 'Record does not exist.')));
  }

  /** Refuses as the API does where the token sees no such zone. */
  zone(id: string): ZoneSettings {
    const zone = this.zones.find((each) => each.id === id);
    if (zone !== undefined) return zone;
    throw new Refusal(
      404,
      7003,
      `Could not route to /client/v4/zones/${id}, perhaps your object identifier is invalid?`,
    );
  }

  routes(): readonly Route[] {
    const path = '/zones/:zone/dns_records';
    return [
      {
        method: 'GET',
        path: '/zones/:zone',
        answer: (asked) => this.describe(this.zone(param(asked, 'zone'))),
      },
      { method: 'GET', path, answer: (asked) => this.list(asked) },
      { method: 'POST', path, answer: (asked) => this.create(asked) },
      {
        method: 'GET',
        path: `${path}/:id`,
        answer: (asked) => this.shelf(asked).find(param(asked, 'id')),
      },
      { method: 'PUT', path: `${path}/:id`, answer: (asked) => this.change(asked, asked.body) },
      {
        method: 'PATCH',
        path: `${path}/:id`,
        answer: (asked) => {
          const { name, type, ttl, content, proxied, comment } = this.shelf(asked).find(param(asked, 'id'));
          const before = { name, type, ttl, content, proxied, comment };
          return this.change(asked, { ...before, ...(asked.body as object) });
        },
      },
      {
        method: 'DELETE',
        path: `${path}/:id`,
        answer: (asked) => ({ id: this.shelf(asked).take(param(asked, 'id')).id }),
      },
    ];
  }

  private describe({ id, name, nameServers }: ZoneSettings): object {
    return {
      id,
      name,
      status: 'active',
      paused: false,
      type: 'full',
      development_mode: 0,
      name_servers: nameServers,
      original_name_servers: null,
      account: { id: this.accountId, name: 'Example' },
    };
  }

  private shelf(asked: ApiRequest): Shelf<DnsRecord> {
    return this.records.get(this.zone(param(asked, 'zone')).id) as Shelf<DnsRecord>;
  }

  private list(asked: ApiRequest): Page {
    const { query } = asked;
    for (const key of query.keys())
      if (!['type', 'name.exact', 'page', 'per_page'].includes(key))
        throw new Refusal(400, DNS_VALIDATION, `the emulator knows no query ${key}`);
    const found = this.shelf(asked)
      .all()
      .filter(
        ({ type, name }) =>
          (query.get('type') ?? type) === type && (query.get('name.exact') ?? name) === name,
      );
    const perPage = Number(query.get('per_page') ?? 100);
    const page = Number(query.get('page') ?? 1);
    const shown = found.slice((page - 1) * perPage, page * perPage);
    return new Page(shown, {
      page,
      per_page: perPage,
      count: shown.length,
      total_count: found.length,
      total_pages: Math.ceil(found.length / perPage),
    });
  }

  private create(asked: ApiRequest): DnsRecord {
    const now = new Date().toISOString();
    return this.keep(asked, newId(), now, asked.body);
  }

  private change(asked: ApiRequest, body: unknown): DnsRecord {
    const { id, created_on } = this.shelf(asked).find(param(asked, 'id'));
    return this.keep(asked, id, created_on, body);
  }

  private keep(asked: ApiRequest, id: string, created_on: string, body: unknown): DnsRecord {
    const zone = this.zone(param(asked, 'zone'));
    const shelf = this.shelf(asked);
    const { comment, ...given } = checked(RecordBody, body, DNS_VALIDATION);
    if (given.ttl !== AUTOMATIC_TTL && (given.ttl < 60 || given.ttl > 86_400))
      throw new Refusal(
        400,
        INVALID_TTL,
        'Invalid TTL. Must be between 60 and 86400 seconds, or 1 for Automatic.',
      );
    const inside = given.name === zone.name || given.name.endsWith(`.${zone.name}`);
    // A name of another zone is taken for one below this zone.
    const name = inside ? given.name : `${given.name}.${zone.name}`;
    const twin = shelf
      .all()
      .some(
        (each) =>
          each.id !== id && each.name === name && each.type === given.type && each.content === given.content,
      );
    if (twin) throw new Refusal(400, 81058, 'An identical record already exists.');
    return shelf.put({
      ...given,
      id,
      name,
      ttl: given.proxied ? AUTOMATIC_TTL : given.ttl,
      comment: comment ?? null,
      proxiable: true,
      settings: {},
      meta: {},
      tags: [],
      created_on,
      modified_on: new Date().toISOString(),
    });
  }
}
