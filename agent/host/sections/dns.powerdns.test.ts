import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import * as dgram from 'node:dgram';
import { once } from 'node:events';
import * as fs from 'node:fs';
import * as https from 'node:https';
import * as os from 'node:os';
import * as path from 'node:path';
import type { TLSSocket } from 'node:tls';
import * as dnsPacket from 'dns-packet';
import { DnsSpec } from '../../../infra/contract/site-spec';
import { databaseSql, DUMP_SQL, expectedDump, type DnsDatabase } from '../dns/database';
import { zonesOf } from '../dns/zone';
import { freePort, waitUntil } from '../edge/testing/haproxy-process';
import { makePair } from '../testing/documents';
import { renderPdnsConfig } from './dns';

const SCHEMA = '/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql';
function missingPart(): string | null {
  if (spawnSync('pdns_server', ['--version']).error !== undefined) return 'pdns_server is not installed';
  if (spawnSync('sqlite3', ['--version']).error !== undefined) return 'sqlite3 is not installed';
  return fs.existsSync(SCHEMA) ? null : 'pdns-backend-sqlite3 is not installed';
}
const missing = missingPart();
const describeWithPdns = missing === null ? describe : describe.skip;
const itWithNsupdate = spawnSync('nsupdate', ['-V']).error === undefined ? it : it.skip;

const UK = '127.0.0.11';
const EU = '127.0.0.12';
const SECRET = Buffer.from('a secret of some length').toString('base64');
const spec = DnsSpec.parse({
  zone: 'example.com',
  serviceHost: 'api.example.com',
  ttlSeconds: 60,
  checkIntervalSeconds: 1,
  nameserverHost: 'witness.example.com',
  nameserverAddress: '127.0.0.1',
  sites: [
    { site: 'uk-primary', host: 'uk.example.com', addresses: [UK] },
    { site: 'eu-standby', host: 'eu.example.com', addresses: [EU] },
  ],
  records: [{ name: 'www.example.com', type: 'CNAME', value: 'api.example.com' }],
  tsigName: 'acme',
});

/** A site's `/readyz`, on its own loopback address. */
class FakeSite {
  ready = false;
  readonly asked: { host: string | undefined; serverName: string | false | null | undefined }[] = [];
  private readonly server: https.Server;

  constructor(pair: { certificate: string; privateKey: string }) {
    this.server = https.createServer(
      { cert: pair.certificate, key: pair.privateKey },
      (request, response) => {
        this.asked.push({ host: request.headers.host, serverName: (request.socket as TLSSocket).servername });
        // The text decides, not the status alone.
        response.end(JSON.stringify({ ready: this.ready, site: 'x', reasons: [] }));
      },
    );
  }

  async listen(address: string, port: number): Promise<void> {
    this.server.listen(port, address);
    await once(this.server, 'listening');
  }

  async close(): Promise<void> {
    if (!this.server.listening) return;
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, 'close');
  }
}

describeWithPdns(`the DNS server${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  let folder: string;
  let server: ChildProcess;
  let dnsPort: number;
  let sitePort: number;
  let log = '';
  const pair = makePair();
  const uk = new FakeSite(pair);
  const eu = new FakeSite(pair);
  let database: DnsDatabase;

  const sqlite = (input: string): string =>
    execFileSync('sqlite3', ['-bail', '-batch', path.join(folder, 'zones.sqlite3')], {
      input,
      encoding: 'utf8',
    });

  const ask = async (
    name: string,
    type: 'A' | 'TXT' | 'SOA' | 'NS' | 'CNAME',
  ): Promise<dnsPacket.Answer[]> => {
    const socket = dgram.createSocket('udp4');
    try {
      socket.send(
        dnsPacket.encode({ type: 'query', id: 7, questions: [{ type, name }] }),
        dnsPort,
        '127.0.0.1',
      );
      return await new Promise<dnsPacket.Answer[]>((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error('no answer')), 1000);
        socket.once('message', (message) => {
          clearTimeout(timer);
          resolve(dnsPacket.decode(message).answers ?? []);
        });
      });
    } finally {
      socket.close();
    }
  };
  const addresses = async (name: string): Promise<string[]> =>
    (await ask(name, 'A')).flatMap((answer) => (answer.type === 'A' ? [answer.data] : [])).sort();

  beforeAll(async () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dns-'));
    dnsPort = await freePort();
    sitePort = await freePort();
    await uk.listen(UK, sitePort);
    await eu.listen(EU, sitePort);
    const zones = zonesOf(spec).map((zone) => ({
      ...zone,
      // Health checks go to 443; an unprivileged test has another port.
      records: zone.records.map((record) => ({
        ...record,
        content: record.content.replace("com/readyz'", `com:${sitePort}/readyz'`),
      })),
    }));
    database = { zones, tsigKey: { name: 'acme', secret: SECRET } };
    sqlite(fs.readFileSync(SCHEMA, 'utf8'));
    sqlite(databaseSql(database));
    const config = renderPdnsConfig(spec, '127.0.0.1')
      .replace(/^gsqlite3-database=.*$/m, `gsqlite3-database=${folder}/zones.sqlite3`)
      .replace(/^socket-dir=.*$/m, `socket-dir=${folder}`);
    fs.writeFileSync(path.join(folder, 'pdns.conf'), `${config}local-port=${dnsPort}\n`);
    server = spawn('pdns_server', [`--config-dir=${folder}`, '--daemon=no', '--disable-syslog'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [server.stdout, server.stderr]) {
      stream?.on('data', (chunk: Buffer) => (log += chunk.toString()));
    }
    await waitUntil('the DNS server answers', async () => {
      if (server.exitCode !== null) throw new Error(`pdns_server ended: ${log}`);
      return ask('example.com', 'SOA').then(
        (answers) => answers.length === 1,
        () => false,
      );
    });
  }, 30_000);

  afterAll(async () => {
    if (server?.exitCode === null) {
      server.kill('SIGKILL');
      await once(server, 'close');
    }
    await uk.close();
    await eu.close();
    fs.rmSync(folder, { recursive: true, force: true });
  });

  it('is written once: the database then reads as wanted, and a second writing changes nothing', () => {
    const dump = (): string[] =>
      sqlite(DUMP_SQL)
        .split('\n')
        .filter((line) => line !== '')
        .sort();
    expect(dump()).toEqual(expectedDump(database));
    sqlite(databaseSql(database));
    expect(dump()).toEqual(expectedDump(database));
  });

  it('answers all sites while none is ready', async () => {
    expect(await addresses('api.example.com')).toEqual([UK, EU]);
  });

  it('follows readiness from site to site within two checks, with the TTL of the spec', async () => {
    uk.ready = true;
    await waitUntil('the name answers UK', async () => (await addresses('api.example.com')).join() === UK);
    expect((await ask('api.example.com', 'A'))[0]).toMatchObject({ ttl: 60 });
    uk.ready = false;
    eu.ready = true;
    const turned = Date.now();
    await waitUntil('the name answers EU', async () => (await addresses('api.example.com')).join() === EU);
    // Check interval and timeout are one second each.
    expect(Date.now() - turned).toBeLessThan(3500);
    uk.ready = true;
    await waitUntil(
      'the preferred site is answered again',
      async () => (await addresses('api.example.com')).join() === UK,
    );
  }, 30_000);

  it('asks each site by the service’s name, in the Host header and in TLS', () => {
    for (const site of [uk, eu]) {
      expect(site.asked.length).toBeGreaterThan(0);
      expect(site.asked[0]).toEqual({ host: `api.example.com:${sitePort}`, serverName: 'api.example.com' });
    }
  });

  it('answers EU when the UK site is gone altogether', async () => {
    eu.ready = true;
    await uk.close();
    await waitUntil('the name answers EU', async () => (await addresses('api.example.com')).join() === EU);
    await uk.listen(UK, sitePort);
  }, 20_000);

  it('knows the names of the sites, the witness and the further records', async () => {
    expect(await addresses('uk.example.com')).toEqual([UK]);
    expect(await addresses('eu.example.com')).toEqual([EU]);
    expect(await addresses('witness.example.com')).toEqual(['127.0.0.1']);
    expect((await ask('example.com', 'NS'))[0]).toMatchObject({ data: 'witness.example.com' });
    expect((await ask('www.example.com', 'CNAME'))[0]).toMatchObject({ data: 'api.example.com' });
  });

  const update = (lines: readonly string[], key: string | null): number | null =>
    spawnSync('nsupdate', ['-t', '3', ...(key === null ? [] : ['-y', key])], {
      input: [`server 127.0.0.1 ${dnsPort}`, ...lines, 'send', ''].join('\n'),
    }).status;
  const challenge = (name: string): string[] => [`update add ${name} 1 TXT proof`];

  itWithNsupdate('lets the key write challenges, and nobody else, and nothing else', async () => {
    const key = `hmac-sha256:acme:${SECRET}`;
    expect(update(challenge('_acme-challenge.api.example.com'), key)).toBe(0);
    expect(await ask('_acme-challenge.api.example.com', 'TXT')).toHaveLength(1);
    expect(update(challenge('_acme-challenge.uk.example.com'), null)).not.toBe(0);
    expect(await ask('_acme-challenge.uk.example.com', 'TXT')).toHaveLength(0);
    const other = `hmac-sha256:acme:${Buffer.from('another secret').toString('base64')}`;
    expect(update(challenge('_acme-challenge.uk.example.com'), other)).not.toBe(0);
    expect(update(['update add api.example.com 1 A 127.0.0.66'], key)).not.toBe(0);
    expect(update(['update add evil.example.com 1 A 127.0.0.66'], key)).not.toBe(0);
    expect(await addresses('evil.example.com')).toEqual([]);
    // A certificate in the making outlives an apply, and is no difference that apply would see.
    sqlite(databaseSql(database));
    expect(await ask('_acme-challenge.api.example.com', 'TXT')).toHaveLength(1);
  });
});
