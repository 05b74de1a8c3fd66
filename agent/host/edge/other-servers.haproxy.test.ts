import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { HOP_HEADER, VIA_HEADER } from '../../../infra/contract/agent-api';
import { EdgeClient } from './testing/client';
import {
  CLIENT_KEY,
  freePort,
  haproxyMissing,
  makeCertificates,
  type SiteBench,
  startSite,
  waitUntil,
} from './testing/haproxy-process';

const missing = haproxyMissing();
const describeWithHaproxy = missing === null ? describe : describe.skip;
const keyed = { authorization: `Bearer ${CLIENT_KEY}` };
const write = { method: 'PUT', headers: keyed };

/** The edge of uk-1 is asked; uk-2 stands beside it, eu across the sea. */
describeWithHaproxy(
  `an edge beside another of its site${missing === null ? '' : ` (skipped: ${missing})`}`,
  () => {
    let folder: string;
    let uk1: SiteBench;
    let uk2: SiteBench;
    let eu: SiteBench;
    let client: EdgeClient;

    beforeAll(async () => {
      folder = fs.mkdtempSync(path.join(os.tmpdir(), 'edges-'));
      const certificates = makeCertificates(folder);
      const port = await freePort();
      const common = { port, certificates, peerPort: port };
      const uk = {
        ...common,
        site: 'uk-primary',
        host: 'uk.test',
        peerHost: 'eu.test',
        peerAddress: '127.0.0.3',
      };
      const start = (name: string, own: string, other: { name: string; address: string }) => {
        fs.mkdirSync(path.join(folder, name));
        return startSite({ ...uk, folder: path.join(folder, name), address: own, others: [other] });
      };
      uk1 = await start('uk-1', '127.0.0.1', { name: 'uk-2', address: '127.0.0.2' });
      uk2 = await start('uk-2', '127.0.0.2', { name: 'uk-1', address: '127.0.0.1' });
      const peer = { peerHost: 'uk.test', address: '127.0.0.3' };
      eu = await startSite({ ...common, ...peer, folder, site: 'eu-standby', host: 'eu.test' });
      client = new EdgeClient(port, fs.readFileSync(certificates.ca, 'utf8'));
    }, 30_000);

    afterAll(async () => {
      for (const bench of [uk1, uk2, eu]) await bench?.stop();
      fs.rmSync(folder, { recursive: true, force: true });
    });

    /** Both servers of the UK serve, uk-1 leads. */
    beforeEach(async () => {
      for (const bench of [uk1, uk2, eu]) {
        for (const upstream of [bench.engine, bench.qdrant, bench.gateway]) {
          await upstream.stop();
          await upstream.revive();
        }
      }
      for (const bench of [uk1, uk2]) bench.agent.serve(true);
      eu.agent.serve(false);
      await lead('uk-1');
      await answers(uk1, '/v1/models', 'engine');
      await answers(uk1, '/collections', 'qdrant');
      forget();
    }, 30_000);

    async function lead(server: 'uk-1' | 'uk-2'): Promise<void> {
      const [leader, other] = server === 'uk-1' ? [uk1, uk2] : [uk2, uk1];
      await other.gateway.stop();
      await leader.gateway.stop();
      await leader.gateway.revive();
      leader.agent.leads = true;
      other.agent.leads = false;
      await answers(leader, '/aliases', 'gateway', write);
    }

    async function answers(
      bench: SiteBench,
      url: string,
      part: 'engine' | 'qdrant' | 'gateway',
      request: Parameters<EdgeClient['ask']>[1] = { headers: keyed },
    ): Promise<void> {
      await waitUntil(`${url} is answered by the right ${part}`, async () => {
        forget();
        const { status } = await client.ask(url, request);
        return status === 200 && bench[part].seen.length === 1;
      });
    }

    function forget(): void {
      for (const bench of [uk1, uk2, eu])
        for (const upstream of [bench.agent.upstream, bench.engine, bench.qdrant, bench.gateway])
          upstream.seen.length = 0;
    }

    it('answers by itself while it can', async () => {
      for (const url of ['/v1/models', '/collections']) await client.ask(url, { headers: keyed });
      expect([uk1.engine.seen.length, uk1.qdrant.seen.length]).toEqual([1, 1]);
      expect([uk2.engine.seen, uk2.qdrant.seen, eu.engine.seen]).toEqual([[], [], []]);
    });

    it('passes completions to the engine beside it before the other site, and reads to the node beside it', async () => {
      await uk1.engine.stop();
      uk1.agent.vectors = false;
      await answers(uk2, '/v1/models', 'engine');
      await answers(uk2, '/collections', 'qdrant');
      expect(eu.engine.seen).toEqual([]);
    });

    it('passes completions to the other site when no engine of its own site is left', async () => {
      await uk1.engine.stop();
      await uk2.engine.stop();
      uk2.agent.inference = false;
      await answers(eu, '/v1/models', 'engine');
    });

    it('keeps what another server has passed on, and does not pass on twice what has come from the other site', async () => {
      uk1.agent.vectors = false;
      await answers(uk2, '/collections', 'qdrant');
      const hopped = await client.ask('/collections', {
        headers: { ...keyed, [HOP_HEADER]: '1', [VIA_HEADER]: 'x' },
      });
      expect(hopped.status).toBe(503);
      forget();
      // From the other site it may go to the server beside, once.
      expect(
        (await client.ask('/collections', { headers: { ...keyed, [VIA_HEADER]: 'eu-standby' } })).status,
      ).toBe(200);
      expect(uk2.qdrant.seen).toHaveLength(1);
    });

    it('sends writes to the gateway of whoever leads, and refuses them when nobody does', async () => {
      await lead('uk-2');
      forget();
      expect((await client.ask('/collections/a/points', write)).status).toBe(200);
      expect(uk2.gateway.seen).toHaveLength(1);
      expect(uk2.gateway.seen[0]?.headers['api-key']).toBeDefined();
      await uk2.gateway.stop();
      uk2.agent.leads = false;
      await waitUntil(
        'nobody takes a write',
        async () => (await client.ask('/aliases', write)).status === 503,
      );
      expect(eu.gateway.seen).toEqual([]);
    });

    it('lets the leader answer for the site, and each server for itself', async () => {
      await lead('uk-2');
      forget();
      for (const url of ['/status', '/failover/switch', '/promotable']) await client.ask(url);
      expect(uk2.agent.upstream.seen.map(({ url }) => url)).toEqual([
        '/status',
        '/failover/switch',
        '/promotable',
      ]);
      forget();
      await client.ask('/metrics');
      expect(uk1.agent.upstream.seen.map(({ url }) => url)).toEqual(['/metrics']);
    });

    it("has nothing under /server/ for anybody but the site's servers", async () => {
      for (const url of ['/server/leading', '/server/standing', '/server/qdrant/collections']) {
        expect((await client.ask(url, { headers: keyed })).status).toBe(404);
      }
      expect(uk1.qdrant.seen).toEqual([]);
    });
  },
);
