import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as http from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import { ctl } from './ctl';
import { takeLock } from './lock';
import { RealHost } from './real-host';
import { verifyModel } from './verify-model';

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'programs-'));
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));
const sha = (text: string): string => createHash('sha256').update(text).digest('hex');

describe('verify-model', () => {
  const write = (name: string, text: string): void => {
    fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    fs.writeFileSync(path.join(folder, name), text);
  };
  const model = (): string => {
    write('model.safetensors', 'weights');
    write('tokenizer/vocab.json', '{}');
    const sums = `${sha('weights')}  model.safetensors\n${sha('{}')} *./tokenizer/vocab.json\n`;
    write('SHA256SUMS', sums);
    return sha(sums);
  };

  it('takes a model whose files are as listed', async () => {
    expect(await verifyModel(folder, model())).toBe(2);
  });

  it.each([
    [
      'a changed file',
      () => write('model.safetensors', 'weightz'),
      /model\.safetensors .* should have SHA-256/,
    ],
    ['a missing file', () => fs.rmSync(path.join(folder, 'model.safetensors')), /lacks model\.safetensors/],
    ['an added file', () => write('evil.py', 'x'), /does not name \(evil\.py\)/],
    [
      'a changed list',
      () => fs.appendFileSync(path.join(folder, 'SHA256SUMS'), '\n'),
      /SHA256SUMS should have SHA-256/,
    ],
  ])('refuses %s', async (_what, spoil, message) => {
    const sum = model();
    spoil();
    await expect(verifyModel(folder, sum)).rejects.toThrow(message);
  });
});

describe('the lock', () => {
  it('keeps a second apply waiting until the first is done', async () => {
    const file = path.join(folder, 'lock');
    const release = await takeLock(file, 1);
    const second = takeLock(file, 10);
    let got = false;
    void second.then(() => (got = true));
    await expect(takeLock(file, 0)).rejects.toMatchObject({ code: 'lock-timeout' });
    expect(got).toBe(false);
    await release();
    await (
      await second
    )();
  });
});

describe('ctl', () => {
  const answering = async (
    status: number,
    body: unknown,
    ask: (port: number) => Promise<void>,
  ): Promise<void> => {
    const server = http.createServer((request, response) => {
      response.statusCode = request.headers.authorization === 'Bearer key' ? status : 401;
      response.end(JSON.stringify(body));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      await ask((server.address() as AddressInfo).port);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  };

  it('prints what the agent did', () =>
    answering(200, { id: 'x' }, async (port) => {
      expect(await ctl('publish', 'key', port)).toBe('{"id":"x"}');
    }));

  it('counts being the wrong site for it as done', () =>
    answering(409, { skipped: { code: 'NOT_HOLDER', message: 'eu holds the lease' } }, async (port) => {
      expect(await ctl('publish', 'key', port)).toBe('skipped: NOT_HOLDER: eu holds the lease');
    }));

  it.each([
    [503, { error: { code: 'STORE', message: 'unreachable' } }, /503: STORE: unreachable/],
    [409, { error: { code: 'BUSY', message: 'applying' } }, /409: BUSY: applying/],
    [500, 'what', /500: "what"/],
  ])('fails when the agent answers %d %j', (status, body, message) =>
    answering(status, body, async (port) => {
      await expect(ctl('apply', 'key', port)).rejects.toThrow(message);
    }),
  );

  it('fails when no agent listens', async () => {
    await expect(ctl('status', 'key', 1)).rejects.toThrow(/ECONNREFUSED/);
  });
});

describe('the real host', () => {
  const host = new RealHost();

  it('replaces a file whole, with mode, and leaves nothing beside it', async () => {
    const file = path.join(folder, 'file');
    await host.writeFile(file, Buffer.from('one'), 0o600);
    fs.writeFileSync(path.join(folder, '.file.failover-new'), 'left by a kill');
    await host.writeFile(file, Buffer.from('two'), 0o640);
    expect(fs.readFileSync(file, 'utf8')).toBe('two');
    expect(await host.stat(file)).toMatchObject({ kind: 'file', mode: 0o640 });
    expect(fs.readdirSync(folder)).toEqual(['file']);
    expect(await host.sha256(file)).toBe(sha('two'));
  });

  it('answers null for what is not there', async () => {
    const nothing = path.join(folder, 'nothing');
    expect([await host.readFile(nothing), await host.stat(nothing), await host.sha256(nothing)]).toEqual([
      null,
      null,
      null,
    ]);
    expect(await host.listDirectory(nothing)).toEqual([]);
    expect(await host.removeEmptyDirectory(nothing)).toBe(true);
  });

  it('runs programs with input and a minimal environment, and tells how they ended', async () => {
    process.env['LEAK'] = 'leaked';
    const shown = await host.run('sh', ['-c', 'cat; echo "$LEAK$GIVEN"; exit 3'], {
      stdin: 'in ',
      environment: { GIVEN: 'given' },
    });
    delete process.env['LEAK'];
    expect(shown).toEqual({ code: 3, stdout: 'in given\n', stderr: '' });
    expect((await host.run('/no/such/program', [])).code).toBe(127);
    expect((await host.run('sleep', ['60'], { timeoutSeconds: 0.1 })).stderr).toContain('SIGKILL');
    expect((await host.run('true', [], { stdin: 'x'.repeat(1_000_000) })).code).toBe(0);
  });

  it('finds a listening socket and its process', async () => {
    const server = http.createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const found = (await host.listeners()).find((listener) => listener.port === port);
    server.close();
    expect(found).toMatchObject({ protocol: 'tcp', address: '127.0.0.1', pid: process.pid });
  });

  it('keeps a directory that is not empty, and measures free space below one that does not exist yet', async () => {
    fs.writeFileSync(path.join(folder, 'file'), '');
    expect(await host.removeEmptyDirectory(folder)).toBe(false);
    expect(await host.freeBytes(path.join(folder, 'a/b/c'))).toBeGreaterThan(0);
  });
});
