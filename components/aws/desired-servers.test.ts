import { createHash } from 'node:crypto';
import { DesiredState } from '../../infra/contract/desired-state';
import { ServerSpec } from '../../infra/contract/site-spec';
import { named, record } from '../testing/recording';
import { DesiredServers } from './desired-servers';

const BUNDLE = 'b'.repeat(64);
const ARN = 'arn:aws:secretsmanager:eu-west-2:111122223333:secret:failover/peer-key-AbCdEf';
const specOf = (name: string): ServerSpec =>
  ServerSpec.parse({
    schemaVersion: 1,
    server: { site: 'uk-primary', name },
    timers: { publishIntervalSeconds: 10, applyIntervalSeconds: 10 },
  });

it('points each server, last, at a bundle and a spec that are under their own hashes', async () => {
  const { resources } = await record(
    () =>
      new DesiredServers('desired', {
        bucket: 'site-deploy',
        region: 'eu-west-2',
        bundle: { path: __filename, sha256: BUNDLE, release: BUNDLE.slice(0, 12) },
        specs: [specOf('uk-primary-1'), specOf('uk-primary-2')],
        secrets: { 'peer-key': ARN },
      }),
    {},
  );
  expect(named(resources, 'desired-bundle').inputs).toMatchObject({ key: `bundles/${BUNDLE}.js` });
  for (const server of ['uk-primary-1', 'uk-primary-2']) {
    const spec = named(resources, `desired-${server}-spec`);
    const pointer = named(resources, `desired-${server}`);
    expect(pointer.inputs).toMatchObject({ bucket: 'site-deploy', key: `desired/${server}.json` });
    const desired = DesiredState.parse(JSON.parse(String(pointer.inputs['content'])));
    expect(desired).toMatchObject({
      server,
      bundle: { sha256: BUNDLE },
      spec: { key: spec.inputs['key'] },
      secrets: { region: 'eu-west-2', names: { 'peer-key': ARN } },
    });
    const text = String(spec.inputs['content']);
    expect(createHash('sha256').update(text).digest('hex')).toBe(desired.spec.sha256);
    expect(ServerSpec.parse(JSON.parse(text))).toEqual(specOf(server));
    expect(pointer.dependencies).toEqual(
      expect.arrayContaining(['desired-bundle', `desired-${server}-spec`]),
    );
  }
});
