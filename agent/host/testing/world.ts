import type { ServerSpec } from '../../../infra/contract/site-spec';
import { versionFolder } from '../../../infra/contract/weights';
import { apply, type ApplyOptions } from '../apply';
import { databaseSql, DUMP_SQL, expectedDump, type DnsDatabase } from '../dns/database';
import { zonesOf } from '../dns/zone';
import type { ObjectStoreAdmin } from '../object-store-admin';
import type { Services } from '../sections/context';
import type { WeightsPort } from '../weights';
import { failed, MemoryHost, ok } from './memory-host';

/** A server in memory on which every section can be applied, with the object store and the DNS database that it grows. */
export class World {
  readonly host = new MemoryHost();
  readonly lines: string[] = [];
  readonly buckets = new Map<string, string | null>();
  private table: string[] | null = null;
  private nftLoaded = false;

  constructor(private readonly expectedDns: () => DnsDatabase | null) {
    const { host } = this;
    host.put('/opt/qdrant/qdrant', 'qdrant', 0o755);
    host.put('/opt/restic/restic', 'restic', 0o755);
    host.put('/opt/versitygw/versitygw', 'versitygw', 0o755);
    host.put('/opt/vllm/bin/vllm', 'vllm', 0o755);
    host.handlers.set('/opt/qdrant/qdrant', () => ok('qdrant 1.18.3\n'));
    host.handlers.set('/opt/restic/restic', () =>
      ok('restic 0.18.0 compiled with go1.24.1 on linux/amd64\n'),
    );
    host.handlers.set('haproxy', () => ok());
    host.handlers.set('find', () => ok());
    host.handlers.set('nft', (args) => this.nft(args));
    host.handlers.set('sqlite3', (_args, { stdin }) => this.sqlite(stdin ?? ''));
    host.httpAnswer = (url) => {
      if (url.startsWith('https://127.0.0.1:443')) return { status: 404, body: '' };
      return { status: 200, body: '{"title":"qdrant","version":"1.18.3"}' };
    };
  }

  apply(
    document: ServerSpec,
    services: Pick<Services, 'needsSsh'> = {},
    options: ApplyOptions = {},
  ): Promise<number> {
    return apply(
      this.host,
      document,
      { change: (line) => this.lines.push(line) },
      { objectStore: () => this.store(), weights: () => this.weights(), ...services },
      options,
    );
  }

  private store(): ObjectStoreAdmin {
    return {
      reachable: () => Promise.resolve(null),
      ensureBucket: (bucket) => {
        if (this.buckets.has(bucket)) return Promise.resolve(false);
        this.buckets.set(bucket, null);
        return Promise.resolve(true);
      },
      ensurePolicy: (bucket, policy) => {
        const text = JSON.stringify(policy);
        const changed = this.buckets.get(bucket) !== text;
        this.buckets.set(bucket, text);
        return Promise.resolve(changed);
      },
      close: () => undefined,
    };
  }

  /** The version's list is all that a server in memory has of it. */
  private weights(): WeightsPort {
    return {
      pull: async ({ folder, sha256 }) => {
        const list = `${versionFolder(folder, sha256)}/SHA256SUMS`;
        if ((await this.host.stat(list)) !== null) return null;
        this.host.put(list, sha256);
        return { files: 1, bytes: 1e9, source: 'example/tiny at 0123abc' };
      },
    };
  }

  private nft(args: readonly string[]) {
    if (args[0] === '--check') return ok();
    if (args[0] === 'list') {
      this.nftLoaded ||= this.host.systemd.log.includes('restart failover-firewall.service');
      return this.nftLoaded ? ok() : failed('No such file or directory');
    }
    this.nftLoaded = false;
    return ok();
  }

  private sqlite(input: string) {
    const expected = this.expectedDns();
    if (input.startsWith('SELECT count')) return ok(this.table === null ? '0\n' : '1\n');
    if (input.startsWith('BEGIN;')) {
      this.table = [];
      return ok();
    }
    if (input === DUMP_SQL) return ok(`${(this.table ?? []).join('\n')}\n`);
    if (expected !== null && input === databaseSql(expected)) {
      this.table = expectedDump(expected);
      return ok();
    }
    return failed('unexpected SQL');
  }
}

export function dnsOf(document: ServerSpec, secret: string): DnsDatabase | null {
  const spec = document.dns;
  if (spec === undefined) return null;
  return {
    zones: zonesOf(spec),
    ...(spec.tsigName === undefined ? {} : { tsigKey: { name: spec.tsigName, secret } }),
  };
}
