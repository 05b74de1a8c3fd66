import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { REPOSITORY } from '../tools/cache';
import { type ConfigOptions, stackConfig } from './config';
import { address, namesFor, PLACES, SERVER_PLACES, subnet } from './names';

jest.mock('./ssh-keys', () => ({
  OPERATOR_KEY: '/keys/operator',
  hostKeyLine: (server: string) => Promise.resolve(`ssh-ed25519 AAAA-${server}`),
}));
jest.mock('./model/ensure', () => ({ modelSha256: () => Promise.resolve('ab'.repeat(32)) }));

const NAMES = namesFor('/somewhere/checkout');
const OPTIONS: ConfigOptions = {
  names: NAMES,
  counts: { uk: 2, eu: 1, witness: 1 },
  timings: 'compressed',
  modelFolder: '/model',
  overrides: {},
};
const DECLARED = Object.keys(
  (parse(readFileSync(path.join(REPOSITORY, 'Pulumi.yaml'), 'utf8')) as { config: object }).config,
);
/** What a stack may have for itself; all else must be the same in all three, or the sites would differ. */
const OWN = ['stackKind', 'site', 'servers', 'tlsCertificateFile', 'tlsPrivateKeyFile'];

describe('stackConfig', () => {
  it.each(SERVER_PLACES)('sets only keys that Pulumi.yaml declares, for %s', async (place) => {
    expect(DECLARED).toEqual(expect.arrayContaining(Object.keys(await stackConfig(OPTIONS, place))));
  });

  it('pins the host key of every server of the place, and lists no other server', async () => {
    expect((await stackConfig(OPTIONS, 'uk'))['servers']).toEqual([
      { name: 'uk-1', address: address(NAMES, 'uk', 1), hostKey: 'ssh-ed25519 AAAA-uk-1' },
      { name: 'uk-2', address: address(NAMES, 'uk', 2), hostKey: 'ssh-ed25519 AAAA-uk-2' },
    ]);
  });

  it('gives all stacks the same values but for who they are', async () => {
    const shared = async (place: (typeof SERVER_PLACES)[number]) =>
      Object.fromEntries(
        Object.entries(await stackConfig(OPTIONS, place)).filter(([key]) => !OWN.includes(key)),
      );
    expect(await shared('uk')).toEqual(await shared('eu'));
    expect(await shared('witness')).toEqual(await shared('eu'));
  });

  it('opens management to the clients of the lab only', async () => {
    expect((await stackConfig(OPTIONS, 'eu'))['managementCidrs']).toEqual([subnet(NAMES, 'client')]);
  });

  it('opens the nameservers to every place that asks them', async () => {
    expect((await stackConfig(OPTIONS, 'uk'))['resolverCidrs']).toEqual(
      PLACES.map((place) => subnet(NAMES, place)),
    );
  });

  it('lets --set win over what it would set itself', async () => {
    const config = await stackConfig({ ...OPTIONS, overrides: { leaseTtlSeconds: 12 } }, 'uk');
    expect(config['leaseTtlSeconds']).toBe(12);
  });
});
