import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import * as dgram from 'node:dgram';
import { once } from 'node:events';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import * as dnsPacket from 'dns-packet';
import type { DnsSpec } from '../../../../infra/contract/site-spec';
import { freePort, waitUntil } from '../../edge/testing/haproxy-process';
import { renderPdnsConfig } from '../../sections/dns';
import { databaseSql, DUMP_SQL, type DnsDatabase } from '../database';
import { zonesOf } from '../zone';

const SCHEMA = '/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql';

export function missingPart(): string | null {
  if (spawnSync('pdns_server', ['--version']).error !== undefined) return 'pdns_server is not installed';
  if (spawnSync('sqlite3', ['--version']).error !== undefined) return 'sqlite3 is not installed';
  return fs.existsSync(SCHEMA) ? null : 'pdns-backend-sqlite3 is not installed';
}

type Question = 'A' | 'TXT' | 'SOA' | 'NS' | 'CNAME';

/** PowerDNS as apply would configure it, on an unprivileged port. */
export class PdnsProcess {
  readonly database: DnsDatabase;
  readonly address: string;
  port = 0;
  private readonly folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dns-'));
  private server: ChildProcess | null = null;
  private log = '';

  /**
   * @param sitePort where the sites' `/readyz` is instead of 443, for an unprivileged test
   * @param secret of the update key
   */
  constructor(
    private readonly spec: DnsSpec,
    sitePort: number,
    secret?: string,
  ) {
    this.address = spec.listen[0] ?? '';
    const zones = zonesOf(spec).map((zone) => ({
      ...zone,
      records: zone.records.map((record) => ({
        ...record,
        content: record.content.replace("com/readyz'", `com:${sitePort}/readyz'`),
      })),
    }));
    const { tsigName } = spec;
    this.database = {
      zones,
      ...(tsigName === undefined || secret === undefined ? {} : { tsigKey: { name: tsigName, secret } }),
    };
  }

  async start(): Promise<void> {
    this.port = await freePort();
    this.sqlite(fs.readFileSync(SCHEMA, 'utf8'));
    this.sqlite(databaseSql(this.database));
    const config = renderPdnsConfig(this.spec, [this.address])
      .replace(/^gsqlite3-database=.*$/m, `gsqlite3-database=${this.folder}/zones.sqlite3`)
      .replace(/^socket-dir=.*$/m, `socket-dir=${this.folder}`);
    fs.writeFileSync(path.join(this.folder, 'pdns.conf'), `${config}local-port=${this.port}\n`);
    const server = spawn('pdns_server', [`--config-dir=${this.folder}`, '--daemon=no', '--disable-syslog'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.server = server;
    for (const stream of [server.stdout, server.stderr]) {
      stream.on('data', (chunk: Buffer) => (this.log += chunk.toString()));
    }
    await waitUntil('the DNS server answers', async () => {
      if (server.exitCode !== null) throw new Error(`pdns_server ended: ${this.log}`);
      return this.ask(this.spec.zone, 'SOA').then(
        (answers) => answers.length === 1,
        () => false,
      );
    });
  }

  async stop(): Promise<void> {
    const server = this.server;
    this.server = null;
    if (server?.exitCode === null) {
      server.kill('SIGKILL');
      await once(server, 'close');
    }
    fs.rmSync(this.folder, { recursive: true, force: true });
  }

  sqlite(input: string): string {
    return execFileSync('sqlite3', ['-bail', '-batch', path.join(this.folder, 'zones.sqlite3')], {
      input,
      encoding: 'utf8',
    });
  }

  dump(): string[] {
    return this.sqlite(DUMP_SQL)
      .split('\n')
      .filter((line) => line !== '')
      .sort();
  }

  async query(name: string, type: Question): Promise<dnsPacket.DecodedPacket> {
    const socket = dgram.createSocket('udp4');
    try {
      const question = dnsPacket.encode({ type: 'query', id: 7, questions: [{ type, name }] });
      socket.send(question, this.port, this.address);
      return await new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error('no answer')), 1000);
        socket.once('message', (message) => {
          clearTimeout(timer);
          resolve(dnsPacket.decode(message));
        });
      });
    } finally {
      socket.close();
    }
  }

  async ask(name: string, type: Question): Promise<dnsPacket.Answer[]> {
    return (await this.query(name, type)).answers ?? [];
  }

  async addresses(name: string): Promise<string[]> {
    return (await this.ask(name, 'A')).flatMap((answer) => (answer.type === 'A' ? [answer.data] : [])).sort();
  }

  /** Sends an update, signed or not; null when nsupdate was killed. */
  update(lines: readonly string[], key: string | null): number | null {
    return spawnSync('nsupdate', ['-t', '3', ...(key === null ? [] : ['-y', key])], {
      input: [`server ${this.address} ${this.port}`, ...lines, 'send', ''].join('\n'),
    }).status;
  }
}
