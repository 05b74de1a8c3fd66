import { execFileSync, spawnSync } from 'node:child_process';
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
