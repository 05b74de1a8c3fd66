import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import * as https from 'node:https';
import type { TLSSocket } from 'node:tls';
import { DnsSpec } from '../../../infra/contract/site-spec';
import { databaseSql, expectedDump } from '../dns/database';
import { missingPart, PdnsProcess } from '../dns/testing/pdns-process';
import { freePort, waitUntil } from '../edge/testing/haproxy-process';
import { makePair } from '../testing/documents';

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
  nameservers: [
    { host: 'witness.example.com', address: '127.0.0.1' },
    { host: 'uk.example.com', address: UK },
    { host: 'eu.example.com', address: EU },
  ],
  listen: ['127.0.0.1'],
  sites: [
    { site: 'uk-primary', host: 'uk.example.com', addresses: [UK] },
    { site: 'eu-standby', host: 'eu.example.com', addresses: [EU] },
  ],
  records: [{ name: 'www.example.com', type: 'CNAME', value: 'api.example.com' }],
  challengeHosts: ['api.example.com', 'uk.example.com', 'eu.example.com'],
  tsigName: 'acme',
});
/** A site's copy: the same zone at another address, without the key. */
const { tsigName: _tsigName, ...shared } = spec;
const copySpec: DnsSpec = { ...shared, listen: [UK] };

const CHALLENGE = '_acme-challenge.uk.example.com';

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
  const pair = makePair();
  const uk = new FakeSite(pair);
  const eu = new FakeSite(pair);
  let sitePort: number;
  let server: PdnsProcess;
  /** The UK site's own. */
  let copy: PdnsProcess;

  const addresses = (name: string): Promise<string[]> => server.addresses(name);
  const answers = (site: string) => async (): Promise<boolean> =>
    (await addresses('api.example.com')).join() === site;

  beforeAll(async () => {
    sitePort = await freePort();
    await uk.listen(UK, sitePort);
    await eu.listen(EU, sitePort);
    server = new PdnsProcess(spec, sitePort, SECRET);
    copy = new PdnsProcess(copySpec, sitePort);
    await server.start();
    await copy.start();
  }, 60_000);

  afterAll(async () => {
    await server.stop();
    await copy.stop();
    await uk.close();
    await eu.close();
  });

  it('is written once: the database then reads as wanted, and a second writing changes nothing', () => {
    for (const each of [server, copy]) {
      expect(each.dump()).toEqual(expectedDump(each.database));
      each.sqlite(databaseSql(each.database));
      expect(each.dump()).toEqual(expectedDump(each.database));
    }
  });

  it('answers all sites while none is ready', async () => {
    expect(await addresses('api.example.com')).toEqual([UK, EU]);
  });

  it('follows readiness from site to site within two checks, with the TTL of the spec', async () => {
    uk.ready = true;
    await waitUntil('the name answers UK', answers(UK));
    expect((await server.ask('api.example.com', 'A'))[0]).toMatchObject({ ttl: 60 });
    uk.ready = false;
    eu.ready = true;
    const turned = Date.now();
    await waitUntil('the name answers EU', answers(EU));
    // Check interval and timeout are one second each.
    expect(Date.now() - turned).toBeLessThan(3500);
    uk.ready = true;
    await waitUntil('the preferred site is answered again', answers(UK));
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
    await waitUntil('the name answers EU', answers(EU));
    await uk.listen(UK, sitePort);
  }, 20_000);

  it('knows the names of the sites, the witness and the further records', async () => {
    expect(await addresses('uk.example.com')).toEqual([UK]);
    expect(await addresses('eu.example.com')).toEqual([EU]);
    expect(await addresses('witness.example.com')).toEqual(['127.0.0.1']);
    const nameservers = await server.ask('example.com', 'NS');
    expect(nameservers.map((answer) => (answer.type === 'NS' ? answer.data : '')).sort()).toEqual([
      'eu.example.com',
      'uk.example.com',
      'witness.example.com',
    ]);
    expect((await server.ask('www.example.com', 'CNAME'))[0]).toMatchObject({ data: 'api.example.com' });
  });

  const challenge = (name: string): string[] => [`update add ${name} 1 TXT proof`];

  itWithNsupdate('lets the key write challenges, and nobody else, and nothing else', async () => {
    const key = `hmac-sha256:acme:${SECRET}`;
    expect(server.update(challenge('_acme-challenge.api.example.com'), key)).toBe(0);
    expect(await server.ask('_acme-challenge.api.example.com', 'TXT')).toHaveLength(1);
    expect(server.update(challenge('_acme-challenge.uk.example.com'), null)).not.toBe(0);
    expect(await server.ask('_acme-challenge.uk.example.com', 'TXT')).toHaveLength(0);
    const other = `hmac-sha256:acme:${Buffer.from('another secret').toString('base64')}`;
    expect(server.update(challenge('_acme-challenge.uk.example.com'), other)).not.toBe(0);
    expect(server.update(['update add api.example.com 1 A 127.0.0.66'], key)).not.toBe(0);
    expect(server.update(['update add evil.example.com 1 A 127.0.0.66'], key)).not.toBe(0);
    expect(await addresses('evil.example.com')).toEqual([]);
    // A certificate in the making outlives an apply, and is no difference that apply would see.
    server.sqlite(databaseSql(server.database));
    expect(await server.ask('_acme-challenge.api.example.com', 'TXT')).toHaveLength(1);
  });

  describe('of a site', () => {
    it('answers as the witness’s does, its own site first by its own address', async () => {
      uk.ready = true;
      eu.ready = true;
      await waitUntil(
        'it sees its own site',
        async () => (await copy.addresses('api.example.com')).join() === UK,
      );
      uk.ready = false;
      await waitUntil(
        'it sees the other',
        async () => (await copy.addresses('api.example.com')).join() === EU,
      );
      for (const type of ['SOA', 'NS'] as const) {
        expect(await copy.ask('example.com', type)).toEqual(
          expect.arrayContaining(await server.ask('example.com', type)),
        );
      }
    }, 30_000);

    it('goes on when the witness’s is gone', async () => {
      eu.ready = true;
      await server.stop();
      await expect(server.ask('example.com', 'SOA')).rejects.toThrow();
      expect(await copy.addresses('api.example.com')).toEqual([EU]);
      const [soa] = await copy.ask('example.com', 'SOA');
      expect(soa).toMatchObject({ data: { mname: 'witness.example.com' } });
    });

    it('sends those who ask for a challenge to the witness', async () => {
      const { answers: answered, authorities, additionals } = await copy.query(CHALLENGE, 'TXT');
      expect(answered).toEqual([]);
      expect(authorities).toEqual([
        expect.objectContaining({ name: CHALLENGE, type: 'NS', data: 'witness.example.com' }),
      ]);
      expect(additionals).toContainEqual(
        expect.objectContaining({ name: 'witness.example.com', type: 'A', data: '127.0.0.1' }),
      );
    });

    itWithNsupdate('takes no updates, not even with the key', async () => {
      const key = `hmac-sha256:acme:${SECRET}`;
      expect(copy.update(challenge(CHALLENGE), key)).not.toBe(0);
      expect(copy.update(['update add evil.example.com 1 A 127.0.0.66'], key)).not.toBe(0);
      expect(await copy.addresses('evil.example.com')).toEqual([]);
    });
  });
});
