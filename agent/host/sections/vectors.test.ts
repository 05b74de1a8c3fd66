import { parse } from 'yaml';
import { VectorsSpec } from '../../../infra/contract/site-spec';
import { renderQdrantConfig, vectorsUnit } from './vectors';

const ALONE = VectorsSpec.parse({ runtime: { kind: 'path', path: '/opt/qdrant' }, version: '1.18.3' });
const node = (address: string): VectorsSpec =>
  VectorsSpec.parse({ ...ALONE, cluster: { address, founder: '10.1.0.10', port: 6335, replicas: 2 } });
const startOf = (spec: VectorsSpec): string =>
  /^ExecStart=.*$/m.exec(vectorsUnit(spec, '/opt/qdrant'))?.[0] ?? '';

describe('Qdrant on a site’s only server', () => {
  it('listens on loopback and is no cluster', () => {
    expect(parse(renderQdrantConfig(ALONE))).toMatchObject({
      service: { host: '127.0.0.1' },
      cluster: { enabled: false },
    });
    expect(startOf(ALONE)).not.toMatch(/--uri|--bootstrap/);
  });
});

describe('Qdrant on one of several servers', () => {
  it('asks other nodes for its key, and keeps a replica of each shard on every server', () => {
    expect(parse(renderQdrantConfig(node('10.1.0.11')))).toMatchObject({
      service: { host: '0.0.0.0', enforce_internal_auth: true },
      storage: { collection: { replication_factor: 2 } },
      cluster: { enabled: true, p2p: { port: 6335 } },
    });
  });

  it('begins the cluster on the first server and joins it on the others', () => {
    expect(startOf(node('10.1.0.10'))).toContain('--uri http://10.1.0.10:6335');
    expect(startOf(node('10.1.0.10'))).not.toContain('--bootstrap');
    expect(startOf(node('10.1.0.11'))).toContain(
      '--uri http://10.1.0.11:6335 --bootstrap http://10.1.0.10:6335',
    );
  });
});
