import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MAX_USER_DATA_BYTES, renderUserData, type UserDataArgs } from './user-data';

const ARGS: UserDataArgs = {
  bucket: 'failover-uk-primary-deploy-111122223333',
  region: 'eu-west-2',
  server: 'uk-primary-1',
};
const hasShellcheck = spawnSync('shellcheck', ['--version']).status === 0;

describe('user data', () => {
  it('is this text', () => {
    expect(renderUserData(ARGS)).toMatchSnapshot();
  });

  it('is small, even with the longest bucket name', () => {
    const text = renderUserData({ ...ARGS, bucket: 'b'.repeat(63), server: 'a-rather-long-site-name-12' });
    expect(Buffer.byteLength(text)).toBeLessThan(MAX_USER_DATA_BYTES);
  });

  it('is bash', () => {
    execFileSync('bash', ['-n'], { input: renderUserData(ARGS) });
  });

  (hasShellcheck ? it : it.skip)('has nothing that shellcheck objects to', () => {
    for (const dataDevice of ['/dev/sdf', 'vol-0123456789abcdef0']) {
      const { stdout } = spawnSync('shellcheck', ['-'], {
        input: renderUserData({ ...ARGS, dataDevice }),
        encoding: 'utf8',
      });
      expect(stdout).toBe('');
    }
  });

  it('becomes a unit, and tries ever more slowly until it worked', () => {
    const root = mkdtempSync(join(tmpdir(), 'failover-user-data-'));
    try {
      const text = renderUserData(ARGS)
        .replace('home=/opt/failover', `home=${root}/opt`)
        .replaceAll('/etc/systemd/system', root)
        .replace('  volume\n  getnode\n  fetch_bundle\n', '');
      const log = join(root, 'log');
      const programs = {
        systemctl: `echo "systemctl $*" >>${log}`,
        sleep: `echo "sleep $*" >>${log}`,
        node: `echo node >>${log}; [ $(grep -c node ${log}) = 8 ]`,
      };
      for (const [name, body] of Object.entries(programs)) {
        writeFileSync(join(root, name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
      }
      writeFileSync(join(root, 'user-data'), text, { mode: 0o755 });
      const env = { PATH: `${root}:/usr/bin:/bin` };
      execFileSync(join(root, 'user-data'), { env });
      const start = /^ExecStart=(\S+) run$/m.exec(
        readFileSync(join(root, 'failover-first-boot.service'), 'utf8'),
      )?.[1];
      expect(start).toBe(`${root}/opt/first-boot`);
      // What failed can be read where nobody can log in: in the output of the instance's console.
      expect(readFileSync(join(root, 'failover-first-boot.service'), 'utf8')).toContain(
        '\nStandardOutput=journal+console\n',
      );
      execFileSync(start ?? '', ['run'], { env });
      const waits = [5, 10, 20, 40, 80, 160, 300].flatMap((wait) => ['node', `sleep ${wait}`]);
      expect(readFileSync(log, 'utf8').split('\n').slice(0, -1)).toEqual([
        'systemctl daemon-reload',
        'systemctl enable -q failover-first-boot',
        'systemctl start --no-block failover-first-boot',
        ...waits,
        'node',
        'systemctl disable -q failover-first-boot',
      ]);
    } finally {
      rmSync(root, { recursive: true });
    }
  });

  it('passes other endpoints on to the bundle', () => {
    const text = renderUserData({
      ...ARGS,
      s3Endpoint: 'http://127.0.0.1:9000',
      metadataEndpoint: 'http://127.0.0.1:9001',
      secretsEndpoint: 'http://127.0.0.1:9002',
    });
    expect(text).toContain(
      'pull --install --bucket failover-uk-primary-deploy-111122223333 --region eu-west-2 --server uk-primary-1 ' +
        '--endpoint http://127.0.0.1:9000 --metadata-endpoint http://127.0.0.1:9001 ' +
        '--secrets-endpoint http://127.0.0.1:9002\n',
    );
    expect(text).not.toContain('amazonaws.com');
    expect(text).not.toContain('169.254');
  });

  it.each<[string, Partial<UserDataArgs>]>([
    ['a quote in a name', { server: "uk'; reboot '" }],
    ['a variable in a bucket', { bucket: '$HOME' }],
    ['a relative folder', { dataFolder: 'srv' }],
    ['a folder with a space', { dataFolder: '/srv/my data' }],
    ['an endpoint with a path', { s3Endpoint: 'https://s3.example.com/x' }],
    ['a device that is none', { dataDevice: 'sdf' }],
  ])('refuses %s', (_what, args) => {
    expect(() => renderUserData({ ...ARGS, ...args })).toThrow('of the user data should match');
  });
});
