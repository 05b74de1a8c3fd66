/** Two whole site agents on loopback, with engines that a test can make sick. */
import { createServer, type Server } from 'node:http';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { z } from 'zod';
import type { StatusResponse } from '../../../infra/contract/agent-api';
import { ENGINE_RESTART_REQUEST } from '../../../infra/contract/server-paths';
import { SiteAgentSpec } from '../../../infra/contract/site-spec';
import type { LeaseStore } from '../../lease';
import { createLogger } from '../../shared/logger';
import type { ProbeResult } from '../canary/verdict';
import type { Credentials } from '../configuration';
import { startSite, type Site } from '../site';
import type { PartStore } from '../snapshots/parts';
import type { SnapshotStore } from '../snapshots/store';
import { scratchFolder } from './scratch';

export const KEYS = {
  operator: 'operator-key',
  peer: 'peer-key',
  qdrant: 'qdrant-key',
  vllm: 'vllm-key',
} as const;

/** An engine that answers, fails or hangs. */
export class FakeEngine {
  mode: 'well' | 'hung' | 'failing' = 'well';
  private server: Server | null = null;

  async listen(): Promise<number> {
    const server = createServer((request, response) => {
      request.resume();
      if (request.url === '/metrics') response.end('vllm:generation_tokens_total 1\n');
      else if (this.mode === 'well') response.end('{"choices":[{"text":"a"}]}');
      else if (this.mode === 'failing') response.writeHead(500).end('{}');
    });
    this.server = server;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  async close(): Promise<void> {
    const { server } = this;
    server?.closeAllConnections();
    await new Promise<void>((resolve) => (server === null ? resolve() : server.close(() => resolve())));
  }
}

export interface SiteSetup {
  readonly site: 'uk' | 'eu';
  readonly qdrantPort: number;
  /** Folder that Qdrant may recover from. */
  readonly staging: string;
  readonly leaseStore: () => LeaseStore;
  readonly snapshotStore: () => SnapshotStore;
  readonly parts: PartStore;
  readonly qdrantVersion: string;
  /** What it calls outside, and with which credentials. */
  readonly outward?: Pick<z.input<typeof SiteAgentSpec>, 'dnsRecord' | 'alerts'> & {
    readonly credentials: Pick<Credentials, 'dnsToken' | 'alerts'>;
  };
}

/** A site that can be stopped and started again on the same state. */
export class TestSite {
  readonly engine = new FakeEngine();
  edge: ProbeResult = { outcome: 'ok', detail: 'edge answers' };
  readonly state: string;
  /** At 0 a sick site hands over at once. */
  engineRestartGraceSeconds = 0;
  /** Off, since it adds a collection; a test may turn it on. */
  heartbeatSeconds = 0;
  site: Site | null = null;
  peer: TestSite | null = null;
  private enginePort = 0;

  constructor(readonly setup: SiteSetup) {
    this.state = mkdtempSync(join(scratchFolder(), `agent-${setup.site}-`));
  }

  async start(): Promise<void> {
    if (this.enginePort === 0) this.enginePort = await this.engine.listen();
    const { setup } = this;
    this.site = await startSite({
      spec: this.spec(),
      credentials: {
        operatorKey: KEYS.operator,
        peerKey: KEYS.peer,
        qdrantKey: KEYS.qdrant,
        vllmKey: KEYS.vllm,
        store: { accessKey: 'a', secretKey: 'b' },
        ...setup.outward?.credentials,
      },
      folders: { state: this.state, staging: setup.staging, requests: this.requests },
      stores: { lease: setup.leaseStore(), snapshots: setup.snapshotStore(), parts: setup.parts },
      logger: createLogger(setup.site, process.env['TEST_LOG'] ?? 'silent'),
      agentVersion: 'test',
      heartbeatSeconds: this.heartbeatSeconds,
      ports: { agent: 0, gateway: 0 },
      // No HAProxy here; a test may have it fail.
      probeEdge: () => Promise.resolve(this.edge),
      // A peer that is down is a port where nobody listens.
      peerOrigin: () => `http://127.0.0.1:${this.peer?.site?.ports.agent ?? 1}`,
    });
  }

  /** Gone without a word, as far as the others can see. */
  async halt(): Promise<void> {
    const { site } = this;
    this.site = null;
    await site?.stop();
  }

  async dispose(): Promise<void> {
    await this.halt();
    await this.engine.close();
    rmSync(this.state, { recursive: true, force: true });
  }

  /** What root's unit would see. */
  get engineRestartRequest(): string {
    return join(this.requests, ENGINE_RESTART_REQUEST);
  }

  private get requests(): string {
    return join(this.state, 'requests');
  }

  status(): StatusResponse {
    if (this.site === null) throw new Error(`${this.setup.site} is not running`);
    return this.site.view.status();
  }

  call(method: 'GET' | 'POST', path: string, body?: unknown, key: string = KEYS.operator): Promise<Called> {
    return call(this.site?.ports.agent ?? 1, method, path, body, { authorization: `Bearer ${key}` });
  }

  write(method: 'PUT' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<Called> {
    return call(this.site?.ports.gateway ?? 1, method, path, body, { 'api-key': KEYS.qdrant });
  }

  private spec(): SiteAgentSpec {
    const { setup } = this;
    const peer = setup.site === 'uk' ? 'eu' : 'uk';
    const { credentials: _credentials, ...outward } = setup.outward ?? {};
    return SiteAgentSpec.parse({
      ...outward,
      site: setup.site,
      siteHost: `${setup.site}.example.com`,
      peer: { site: peer, host: `${peer}.example.com`, addresses: ['127.0.0.1'] },
      initialHolder: setup.site === 'uk',
      lease: { ttlSeconds: 2, safetyMarginSeconds: 0.2, requestTimeoutSeconds: 0.6 },
      switching: {
        mode: 'automatic',
        cooldownSeconds: 0,
        maxSwitchesPerHour: 100,
        handoverSyncSeconds: 5,
        engineRestartGraceSeconds: this.engineRestartGraceSeconds,
      },
      canary: { intervalSeconds: 0.1, timeoutSeconds: 0.2, failureThreshold: 3, recoveryThreshold: 4 },
      store: {
        endpoint: 'http://127.0.0.1:1',
        region: 'us-east-1',
        leaseBucket: 'lease',
        snapshotBucket: 'snapshots',
      },
      snapshots: {
        rpoSeconds: 60,
        history: { allHours: 2, hourlyHours: 48, dailyDays: 31 },
        holdWritesSeconds: 2,
      },
      restic: { kind: 'path', path: '/opt/restic' },
      parity: { configHash: 'c', modelSha256: 'a'.repeat(64), qdrantVersion: setup.qdrantVersion },
      inference: { port: this.enginePort, modelName: 'tiny' },
      vectors: { port: setup.qdrantPort },
    });
  }
}

export interface Called {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly headers: Headers;
}

async function call(
  port: number,
  method: string,
  path: string,
  body: unknown,
  headers: Record<string, string>,
): Promise<Called> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method,
    headers: { ...headers, 'content-type': 'application/json', connection: 'close' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : { text },
  };
}

/** Awaits a condition that the sites bring about by themselves. */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
  seconds = 20,
): Promise<void> {
  const endsAt = Date.now() + seconds * 1000;
  while (!(await condition())) {
    if (Date.now() > endsAt) throw new Error(`not within ${seconds} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
