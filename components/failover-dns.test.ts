import { FailoverDns } from './failover-dns';
import { PowerDns } from './power-dns';
import { Server } from './server';
import { SERVER_ARGS, SERVER_STEPS, sectionInputs } from './testing/host';
import { named, record } from './testing/recording';

const spec = {
  zone: 'failover.test',
  serviceHost: 'api.failover.test',
  ttlSeconds: 60,
  checkIntervalSeconds: 10,
  nameservers: [
    { host: 'witness.failover.test', address: '10.3.0.10' },
    { host: 'uk.failover.test', address: '10.1.0.10' },
  ],
  listen: ['10.1.0.10'],
  sites: [{ site: 'uk-primary', host: 'uk.failover.test', addresses: ['10.1.0.10'] }],
  records: [],
  challengeHosts: [],
};

describe('FailoverDns with PowerDNS', () => {
  const declare = () => {
    const host = new Server('uk-1', SERVER_ARGS);
    return new FailoverDns('dns', { provider: new PowerDns({ host, after: [], spec }) });
  };

  it('feeds the server’s agent its copy of the zone', async () => {
    const { resources } = await record(declare);
    const command = named(resources, 'dns-uk-1');
    expect(command).toMatchObject({
      type: 'command:remote:Command',
      parent: 'dns',
      dependencies: SERVER_STEPS,
    });
    expect(command.inputs).toEqual(sectionInputs('dns', spec));
  });

  it('says who answers for the zone, this server and the others', async () => {
    const { result } = await record(declare);
    expect(result.nameservers).toEqual(['10.3.0.10', '10.1.0.10']);
  });
});
