import type { DnsZone } from './zone';

/** What is in the database, as far as it is ours: challenge records come and go by updates and are left alone. */
export interface DnsDatabase {
  readonly zones: readonly DnsZone[];
  readonly tsigKey?: { readonly name: string; readonly secret: string };
}

const text = (value: string): string => `'${value.replace(/'/g, "''")}'`;

/**
 * One transaction that makes the database as wanted. A child zone that takes updates keeps what it holds: a certificate
 * may be in the making.
 */
export function databaseSql({ zones, tsigKey }: DnsDatabase): string {
  const names = zones.map(({ name }) => text(name)).join(', ');
  const statements = [
    'PRAGMA foreign_keys=ON;',
    'BEGIN IMMEDIATE;',
    `DELETE FROM records WHERE domain_id IN (SELECT id FROM domains WHERE name NOT IN (${names}));`,
    `DELETE FROM domainmetadata WHERE domain_id IN (SELECT id FROM domains WHERE name NOT IN (${names}));`,
    `DELETE FROM domains WHERE name NOT IN (${names});`,
    'DELETE FROM tsigkeys;',
    ...(tsigKey === undefined
      ? []
      : [
          `INSERT INTO tsigkeys (name, algorithm, secret) VALUES (${text(tsigKey.name)}, 'hmac-sha256', ${text(tsigKey.secret)});`,
        ]),
    ...zones.flatMap(zoneSql),
    'COMMIT;',
  ];
  return `${statements.join('\n')}\n`;
}

function zoneSql(zone: DnsZone): string[] {
  const id = `(SELECT id FROM domains WHERE name=${text(zone.name)})`;
  const takesUpdates = zone.tsigName !== undefined;
  return [
    `INSERT OR IGNORE INTO domains (name, type) VALUES (${text(zone.name)}, 'NATIVE');`,
    `DELETE FROM domainmetadata WHERE domain_id=${id};`,
    ...(zone.tsigName === undefined
      ? []
      : [
          `INSERT INTO domainmetadata (domain_id, kind, content) VALUES (${id}, 'TSIG-ALLOW-DNSUPDATE', ${text(zone.tsigName)});`,
          // The key is what admits; without a range nothing would be.
          `INSERT INTO domainmetadata (domain_id, kind, content) VALUES (${id}, 'ALLOW-DNSUPDATE-FROM', '0.0.0.0/0');`,
          `INSERT INTO domainmetadata (domain_id, kind, content) VALUES (${id}, 'ALLOW-DNSUPDATE-FROM', '::/0');`,
        ]),
    takesUpdates
      ? `DELETE FROM records WHERE domain_id=${id} AND type IN ('SOA', 'NS');`
      : `DELETE FROM records WHERE domain_id=${id};`,
    ...zone.records.map(({ name, type, content, ttl }) => {
      const delegation = type === 'NS' && name !== zone.name;
      return (
        'INSERT INTO records (domain_id, name, type, content, ttl, prio, disabled, auth) VALUES ' +
        `(${id}, ${text(name)}, ${text(type)}, ${text(content)}, ${ttl}, 0, 0, ${delegation ? 0 : 1});`
      );
    }),
  ];
}

/** Prints what `databaseSql` would write, one line a row, in a form that `expectedDump` predicts. */
export const DUMP_SQL = [
  '.mode list',
  ".separator '|'",
  // An update raises the serial of a challenge zone; that is no difference to us.
  `SELECT 'record', d.name, r.name, r.type, CASE WHEN r.type='SOA' THEN 'soa' ELSE r.content END, r.ttl, r.disabled, r.auth
   FROM records r JOIN domains d ON d.id=r.domain_id
   WHERE r.type IN ('SOA','NS') OR NOT EXISTS
     (SELECT 1 FROM domainmetadata m WHERE m.domain_id=d.id AND m.kind='TSIG-ALLOW-DNSUPDATE');`,
  "SELECT 'meta', d.name, m.kind, m.content FROM domainmetadata m JOIN domains d ON d.id=m.domain_id;",
  "SELECT 'zone', name FROM domains;",
  "SELECT 'key', name, algorithm, secret FROM tsigkeys;",
  '',
].join('\n');

export function expectedDump({ zones, tsigKey }: DnsDatabase): string[] {
  return [
    ...zones.flatMap((zone) => [
      `zone|${zone.name}`,
      ...zone.records.map(({ name, type, content, ttl }) =>
        [
          'record',
          zone.name,
          name,
          type,
          type === 'SOA' ? 'soa' : content,
          ttl,
          0,
          type === 'NS' && name !== zone.name ? 0 : 1,
        ].join('|'),
      ),
      ...(zone.tsigName === undefined
        ? []
        : [
            `meta|${zone.name}|TSIG-ALLOW-DNSUPDATE|${zone.tsigName}`,
            `meta|${zone.name}|ALLOW-DNSUPDATE-FROM|0.0.0.0/0`,
            `meta|${zone.name}|ALLOW-DNSUPDATE-FROM|::/0`,
          ]),
    ]),
    ...(tsigKey === undefined ? [] : [`key|${tsigKey.name}|hmac-sha256|${tsigKey.secret}`]),
  ].sort();
}
