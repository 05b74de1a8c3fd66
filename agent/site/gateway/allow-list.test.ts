import { judgeWrite } from './allow-list';

describe('allow-list of writes', () => {
  it.each([
    ['PUT', '/collections/docs'],
    ['PATCH', '/collections/docs'],
    ['DELETE', '/collections/docs?timeout=5'],
    ['POST', '/collections/aliases'],
    ['PUT', '/collections/docs/index'],
    ['DELETE', '/collections/docs/index/a.b'],
    ['PUT', '/collections/docs/points?wait=true'],
    ['POST', '/collections/docs/points/batch'],
    ['POST', '/collections/docs/points/delete'],
    ['POST', '/collections/docs/points/payload'],
    ['PUT', '/collections/docs/points/payload'],
    ['POST', '/collections/docs/points/payload/clear'],
    ['POST', '/collections/docs/points/payload/delete'],
    ['PUT', '/collections/docs/points/vectors'],
    ['POST', '/collections/docs/points/vectors/delete'],
    ['PUT', '/collections/my%20docs/points'],
  ])('lets %s %s through', (method, url) => {
    expect(judgeWrite(method, url)).toEqual({ allowed: true });
  });

  it.each([
    ['POST', '/collections/docs/snapshots'],
    ['PUT', '/collections/docs/snapshots/recover'],
    ['POST', '/collections/docs/snapshots/upload'],
    ['PUT', '/collections/docs/shards/0/snapshots/recover'],
    ['POST', '/collections/docs/shards/0/snapshot/partial/recover_from'],
    ['POST', '/collections/docs/cluster'],
    ['PUT', '/collections/docs/shards'],
    ['POST', '/collections/docs/shards/delete'],
    ['POST', '/cluster/recover'],
    ['DELETE', '/cluster/peer/1'],
    ['POST', '/snapshots'],
    ['DELETE', '/issues'],
  ])('refuses %s %s as the agent’s own', (method, url) => {
    expect(judgeWrite(method, url)).toMatchObject({ allowed: false, status: 403 });
  });

  it.each([
    ['POST', '/collections/docs/points/future'],
    ['TRACE', '/collections/docs/points'],
    ['PUT', '/'],
    ['PUT', '/collections'],
    ['GET', '/collections/docs'],
    ['POST', '/v1/completions'],
  ])('refuses %s %s as unknown', (method, url) => {
    expect(judgeWrite(method, url)).toMatchObject({ allowed: false, status: 404 });
  });

  it.each([
    '/collections//points',
    '/collections/../snapshots',
    '/collections/%2e%2e/snapshots',
    '/collections/docs%2Fsnapshots/recover',
    '/collections/docs%5csnapshots',
    '/collections/docs/points/',
    'http://elsewhere/collections/docs/points',
    'collections/docs/points',
  ])('refuses the ambiguous path %s', (url) => {
    expect(judgeWrite('PUT', url)).toMatchObject({ allowed: false, status: 400 });
  });
});
