import * as pulumi from '@pulumi/pulumi';
import { SharedSecrets } from './shared-secrets';
import { record, valueOf } from './testing/recording';

const declare = () => new SharedSecrets('secrets', { sites: ['uk-primary', 'eu-standby'] });

describe('SharedSecrets', () => {
  it('generates one password for each purpose and each site’s account', async () => {
    const { resources } = await record(declare);
    const passwords = resources.filter(({ type }) => type === 'random:index/randomPassword:RandomPassword');
    expect(passwords.map(({ name }) => name).sort()).toEqual(
      [
        'secrets-client',
        'secrets-operator',
        'secrets-peer',
        'secrets-qdrant',
        'secrets-repository',
        'secrets-vllm',
        'secrets-tsig',
        'secrets-store-root',
        'secrets-store-uk-primary',
        'secrets-store-eu-standby',
      ].sort(),
    );
    for (const { inputs, parent } of passwords)
      expect({ inputs, parent }).toEqual({ inputs: { length: 48, special: false }, parent: 'secrets' });
  });

  it('hands all of them out as secrets', async () => {
    const { result } = await record(declare);
    const keys = [result.clientKey, result.operatorKey, result.peerKey, result.qdrantKey, result.vllmKey];
    for (const output of [...keys, result.tsigKey, result.storeRootSecret, result.storeAccounts])
      expect(await pulumi.isSecret(output as pulumi.Output<unknown>)).toBe(true);
  });

  it('gives the TSIG key in base64, as RFC 2136 tools want it', async () => {
    const { result } = await record(declare);
    const key = await valueOf(result.tsigKey);
    expect(Buffer.from(key, 'base64').toString()).toBe('generated for secrets-tsig');
  });

  it('gives each site an account of its own', async () => {
    const { result } = await record(declare);
    expect(await valueOf(result.storeAccounts)).toEqual({
      'uk-primary': { accessKey: 'site-uk-primary', secretKey: 'generated for secrets-store-uk-primary' },
      'eu-standby': { accessKey: 'site-eu-standby', secretKey: 'generated for secrets-store-eu-standby' },
    });
  });
});
