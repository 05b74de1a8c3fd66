import { FakeDns } from '../testing/fake-dns';
import { queryAddresses, resolveAddresses } from './dns';

let server: FakeDns;
let port: number;
beforeEach(async () => {
  server = new FakeDns();
  port = await server.start();
});
afterEach(async () => server.stop());
const ask = (timeoutMs = 2_000): ReturnType<typeof queryAddresses> =>
  queryAddresses({ address: '127.0.0.1', port }, 'api.failover.test', timeoutMs);

describe('asking a nameserver', () => {
  it('answers every address and the TTL', async () => {
    server.addresses = ['10.0.0.1', '10.0.0.2'];
    server.ttlSeconds = 60;
    expect(await ask()).toEqual({ addresses: ['10.0.0.1', '10.0.0.2'], ttlSeconds: 60 });
    expect(server.asked).toEqual(['udp']);
  });
  it('asks again over TCP when the answer was cut', async () => {
    server.addresses = ['10.0.0.1'];
    server.truncate = true;
    expect((await ask()).addresses).toEqual(['10.0.0.1']);
    expect(server.asked).toEqual(['udp', 'tcp']);
  });
  it('fails with the code the nameserver gave', async () => {
    server.rcode = 2;
    await expect(ask()).rejects.toMatchObject({ code: 'SERVFAIL' });
  });
  it('fails when there is no address', async () => {
    await expect(ask()).rejects.toMatchObject({ code: 'EMPTY' });
  });
  it('fails when there is no answer in time', async () => {
    server.silent = true;
    await expect(ask(100)).rejects.toMatchObject({ code: 'TIMEOUT' });
  });
  it('goes on to the next nameserver', async () => {
    server.addresses = ['10.0.0.1'];
    const servers = [
      { address: '127.0.0.1', port: 9 },
      { address: '127.0.0.1', port },
    ];
    expect((await resolveAddresses(servers, 'api.failover.test', 300)).addresses).toEqual(['10.0.0.1']);
  });
});
