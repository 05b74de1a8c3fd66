import { ServerSpec } from '../../../infra/contract/site-spec';
import { makePair } from '../testing/documents';
import { World } from '../testing/world';

const pair = makePair();
const apply = async (credentials: Record<string, string>): Promise<World> => {
  const world = new World(() => null);
  await world.apply(
    ServerSpec.parse({ schemaVersion: 1, server: { site: 'uk-primary', name: 'uk-1' }, credentials }),
  );
  return world;
};
const derived = (world: World, name: string): string | null =>
  world.host.text(`/etc/failover/credentials/${name}`);

it('makes the edge’s certificate file of chain and key', async () => {
  const world = await apply({ 'tls-certificate': pair.certificate, 'tls-private-key': pair.privateKey });
  expect(derived(world, 'edge-tls.pem')).toBe(
    `${pair.certificate.trimEnd()}\n${pair.privateKey.trimEnd()}\n`,
  );
});

it('refuses a key that is not the certificate’s, before anything is written', async () => {
  const other = makePair();
  await expect(
    apply({ 'tls-certificate': pair.certificate, 'tls-private-key': other.privateKey }),
  ).rejects.toThrow(/not the key of tls-certificate/);
});

it('refuses what is no PEM and does not quote it', async () => {
  await expect(apply({ 'tls-certificate': 'hush', 'tls-private-key': 'hush' })).rejects.toThrow(
    /^(?!.*hush).*PEM certificate chain/s,
  );
});

it('lists a client key in each way a client may give it, and several keys for a change of keys', async () => {
  const world = await apply({ 'client-key': 'old-key\nnew-key\n' });
  expect(derived(world, 'edge-client-keys')?.split('\n')).toEqual(
    expect.arrayContaining(['old-key', 'Bearer old-key', 'new-key', 'Bearer new-key']),
  );
});

it('keeps several operator’s and peer’s keys as they are', async () => {
  const world = await apply({ 'operator-key': 'new\nold\n', 'peer-key': 'new-peer\nold-peer\n' });
  expect(derived(world, 'operator-key')).toBe('new\nold\n');
  expect(derived(world, 'peer-key')).toBe('new-peer\nold-peer\n');
  await expect(apply({ 'peer-key': 'two words' })).rejects.toThrow(/peer-key should hold keys/);
  await expect(apply({ 'operator-key': '\n' })).rejects.toThrow(/operator-key should hold keys/);
});

it('refuses a client key that HAProxy would read otherwise', async () => {
  await expect(apply({ 'client-key': '#not-a-key' })).rejects.toThrow(/without blanks/);
  await expect(apply({ 'client-key': 'two words' })).rejects.toThrow(/without blanks/);
});

it('refuses a line break in a key', async () => {
  await expect(apply({ 'qdrant-key': 'a\nb' })).rejects.toThrow(/qdrant-key should be one line/);
});

it('makes the store’s account file, and refuses accounts that are no accounts without quoting them', async () => {
  const accounts = [{ access: 'UK', secret: 'uk-secret', site: 'uk-primary' }];
  const world = await apply({ 'store-accounts': JSON.stringify(accounts) });
  expect(JSON.parse(derived(world, 'users.json') ?? '')).toEqual({
    accessAccounts: {
      UK: { access: 'UK', secret: 'uk-secret', role: 'user', userID: 0, groupID: 0, projectID: 0 },
    },
  });
  for (const bad of ['hush', '[{"access":"hush"}]']) {
    await expect(apply({ 'store-accounts': bad })).rejects.toThrow(
      /^(?!.*hush).*store-accounts should be JSON/s,
    );
  }
});
