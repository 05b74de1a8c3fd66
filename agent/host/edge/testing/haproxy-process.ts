import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import * as net from 'node:net';
import * as path from 'node:path';
import { EdgeSpec } from '../../../../infra/contract/site-spec';
import { KEYS_VARIABLE, renderHaproxyConfig } from '../haproxy-config';
import { RealHost } from '../../real-host';
import { type LiveList, replaceList } from '../live-lists';
import { FakeAgent, FakeUpstream } from './fake-upstream';

export const CLIENT_KEY = 'client-key-0123456789';
export const QDRANT_KEY = 'qdrant-key-0123456789';
export const VLLM_KEY = 'vllm-key-0123456789';

/** Why the tests with a real HAProxy cannot run here, or null. */
export function haproxyMissing(): string | null {
  for (const [program, argument] of [
    ['haproxy', '-v'],
    ['openssl', 'version'],
  ] as const) {
    if (spawnSync(program, [argument]).status !== 0) return `${program} is not installed`;
  }
  return null;
}

export async function waitUntil(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 15_000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** One authority and one certificate for both sites' names. */
export function makeCertificates(folder: string): { ca: string; pem: string } {
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-subj',
    '/CN=Test CA',
    '-days',
    '2',
  );
  openssl('req', ...key, '-keyout', 'edge.key', '-out', 'edge.csr', '-subj', '/CN=api.test');
  fs.writeFileSync(path.join(folder, 'names'), 'subjectAltName=DNS:api.test,DNS:uk.test,DNS:eu.test\n');
  const issuer = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial'];
  openssl(
    'x509',
    '-req',
    '-in',
    'edge.csr',
    ...issuer,
    '-out',
    'edge.pem',
    '-days',
    '2',
    '-extfile',
    'names',
  );
  const pem = ['edge.pem', 'edge.key']
    .map((file) => fs.readFileSync(path.join(folder, file), 'utf8'))
    .join('');
  return { ca: path.join(folder, 'ca.pem'), pem };
}

export interface SiteBench {
  readonly site: string;
  readonly port: number;
  readonly agent: FakeAgent;
  readonly engine: FakeUpstream;
  readonly qdrant: FakeUpstream;
  readonly gateway: FakeUpstream;
  /** Writes the list of client keys and hands it to the running HAProxy; why it did not take it, or null. */
  rotate(...keys: readonly string[]): Promise<string | null>;
  rotateUpstream(qdrant: string, vllm: string): Promise<string | null>;
  /** As the unit does. */
  reload(): void;
  /** Differs after a reload. */
  workers(): Promise<string>;
  stop(): Promise<void>;
}

export interface SiteBenchOptions {
  readonly folder: string;
  readonly site: string;
  readonly host: string;
  readonly port: number;
  /** Where it listens. @default 127.0.0.1 */
  readonly address?: string;
  /** The site's other servers, on the same port. */
  readonly others?: readonly { readonly name: string; readonly address: string }[];
  readonly peerHost: string;
  readonly peerPort: number;
  readonly peerAddress?: string;
  readonly certificates: { ca: string; pem: string };
}

/** A whole site's edge: the real HAProxy with the rendered configuration, and stand-ins for all that is behind it. */
export async function startSite(options: SiteBenchOptions): Promise<SiteBench> {
  const { address = '127.0.0.1' } = options;
  const agent = await FakeAgent.start();
  const engine = await FakeUpstream.start('engine');
  const qdrant = await FakeUpstream.start('qdrant');
  const gateway = await FakeUpstream.start('gateway');
  const folder = path.join(options.folder, options.site);
  fs.mkdirSync(folder, { recursive: true });
  const write = (name: string, content: string): void => fs.writeFileSync(path.join(folder, name), content);
  write('edge-tls.pem', options.certificates.pem);
  const adminSocket = path.join(folder, 'admin.sock');
  const writeKeys = (keys: readonly string[]): void =>
    write('edge-client-keys', keys.map((key) => `${key}\nBearer ${key}\n`).join(''));
  writeKeys([CLIENT_KEY]);
  const writeUpstream = (qdrant: string, vllm: string): void =>
    write('edge-upstream.map', `qdrant ${qdrant}\nvllm ${vllm}\n`);
  writeUpstream(QDRANT_KEY, VLLM_KEY);
  const spec = EdgeSpec.parse({
    serviceHost: 'api.test',
    siteHost: options.host,
    site: options.site,
    tls: { mode: 'files' },
    peer: { host: options.peerHost, addresses: [options.peerAddress ?? '127.0.0.1'] },
    ...(options.others === undefined ? {} : { others: options.others }),
    inferencePort: engine.port,
    vectorsPort: qdrant.port,
    generationTimeoutSeconds: 60,
    maxConnections: 256,
  });
  write(
    'haproxy.cfg',
    renderHaproxyConfig(spec, {
      listen: [`${address}:${options.port}`],
      agentPort: agent.upstream.port,
      gatewayPort: gateway.port,
      peerPort: options.peerPort,
      caFile: options.certificates.ca,
      adminSocket,
    }),
  );
  const process_ = spawn('haproxy', ['-Ws', '-f', path.join(folder, 'haproxy.cfg')], {
    env: { ...process.env, [KEYS_VARIABLE]: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = collect(process_);
  try {
    await waitUntil(`haproxy of ${options.site} listens`, () => {
      if (process_.exitCode !== null) throw new Error(`haproxy ended: ${output()}`);
      return accepts(options.port, address);
    });
  } catch (error) {
    process_.kill('SIGKILL');
    throw error;
  }
  const handOver = (kind: LiveList['kind'], name: string): Promise<string | null> => {
    const file = path.join(folder, name);
    return replaceList(new RealHost(), adminSocket, { kind, file, name: file });
  };
  return {
    site: options.site,
    port: options.port,
    agent,
    engine,
    qdrant,
    gateway,
    rotate(...keys) {
      writeKeys(keys);
      return handOver('acl', 'edge-client-keys');
    },
    rotateUpstream(qdrant, vllm) {
      writeUpstream(qdrant, vllm);
      return handOver('map', 'edge-upstream.map');
    },
    async workers() {
      return /^Pid: \d+/m.exec(await new RealHost().askSocket(adminSocket, 'show info'))?.[0] ?? '';
    },
    reload() {
      process_.kill('SIGUSR2');
    },
    async stop() {
      if (process_.exitCode === null) {
        // The master takes its workers along.
        process_.kill('SIGTERM');
        await once(process_, 'close');
      }
      await Promise.all([agent.upstream, engine, qdrant, gateway].map((upstream) => upstream.stop()));
    },
  };
}

function collect(child: ChildProcess): () => string {
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return () => text;
}

function accepts(port: number, address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, address);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
