import { touchedBy, type SeenWrite } from './write-scan';

const UUID = '5c56c793-69f3-4fbf-87e6-c4bf54c28c26';
const seen = (method: string, path: string, body: unknown, changes: Partial<SeenWrite> = {}): SeenWrite => ({
  method,
  url: `/collections/docs${path}`,
  encoding: undefined,
  body: body === null ? null : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
  ...changes,
});
const ids = (...list: string[]) => ({ kind: 'ids', name: 'docs', ids: list });
const whole = { kind: 'collection', name: 'docs' };
const vector = [0.1, 0.2, 0.3, 0.4];

describe('what a write may have touched', () => {
  it.each([
    [
      'an upsert',
      'PUT',
      '/points?wait=true',
      {
        points: [
          { id: 7, vector },
          { id: UUID, vector },
        ],
      },
      ids('7', `"${UUID}"`),
    ],
    [
      'an upsert by columns',
      'PUT',
      '/points',
      { batch: { ids: [1, UUID], vectors: [vector, vector] } },
      ids('1', `"${UUID}"`),
    ],
    [
      'an id of 64 bits',
      'PUT',
      '/points',
      '{"points":[{"vector":[1,2,3],"id" : 18446744073709551615}]}',
      ids('18446744073709551615'),
    ],
    ['new vectors', 'PUT', '/points/vectors', { points: [{ id: 7, vector }] }, ids('7')],
    ['a payload by ids', 'POST', '/points/payload', { payload: { a: 1 }, points: [3, 4] }, ids('3', '4')],
    ['a payload put by ids', 'PUT', '/points/payload', { payload: { a: 1 }, points: [3] }, ids('3')],
    ['a deletion by ids', 'POST', '/points/delete?wait=false', { points: [3] }, ids('3')],
    ['cleared payloads', 'POST', '/points/payload/clear', { points: [3] }, ids('3')],
    ['deleted keys', 'POST', '/points/payload/delete', { keys: ['a'], points: [3] }, ids('3')],
    ['deleted vectors', 'POST', '/points/vectors/delete', { vector: ['a'], points: [3] }, ids('3')],
    [
      'a batch',
      'POST',
      '/points/batch',
      {
        operations: [
          { upsert: { points: [{ id: 1, vector }] } },
          { upsert: { batch: { ids: [2], vectors: [vector] } } },
          { delete: { points: [3] } },
          { set_payload: { payload: {}, points: [4] } },
          { update_vectors: { points: [{ id: 5, vector }] } },
        ],
      },
      ids('1', '2', '3', '4', '5'),
    ],
  ])('is the ids of %s', (_what, method, path, body, expected) => {
    expect(touchedBy(seen(method, path, body))).toEqual(expected);
  });

  it.each([
    ['a deletion by filter', 'POST', '/points/delete', { filter: { must: [] } }],
    ['a payload by filter', 'POST', '/points/payload', { payload: { a: 1 }, filter: {} }],
    ['both', 'POST', '/points/payload', { payload: { a: 1 }, filter: {}, points: [1] }],
    ['a batch with a filter', 'POST', '/points/batch', { operations: [{ delete: { filter: {} } }] }],
    ['a batch with an operation of later', 'POST', '/points/batch', { operations: [{ merge: {} }] }],
    ['an endpoint of later', 'POST', '/points/merge', { points: [1] }],
    ['a body that is no JSON', 'POST', '/points/delete', '{"points":['],
    ['a body that was too long', 'PUT', '/points', null],
    [
      'points of another shape',
      'PUT',
      '/points',
      {
        rows: [
          [1, 2, 3],
          [4, 5, 6],
          [7, 8, 9],
        ],
      },
    ],
    [
      'a key that is spelled otherwise',
      'PUT',
      '/points',
      `{"points":[{"\\u0069d":7,"vector":[1]},{"id":8}]}`,
    ],
    ['keys that are spelled otherwise', 'PUT', '/points', `{"batch":{"id\\u0073":[7]},"x":[{"id":8}]}`],
    [
      'an id that is spelled otherwise',
      'PUT',
      '/points',
      `{"points":[{"id":"\\u0035c56c793-69f3-4fbf-87e6-c4bf54c28c26"}]}`,
    ],
    ['an id far from its key', 'PUT', '/points', `{"points":[{"id":${' '.repeat(200)}7,"vector":[1]}]}`],
    ['a new collection', 'PUT', '', { vectors: { size: 4, distance: 'Dot' } }],
    ['a deleted collection', 'DELETE', '', null],
    ['a new vector', 'PUT', '/vectors/other', {}],
  ])('is the whole collection after %s', (_what, method, path, body) => {
    expect(touchedBy(seen(method, path, body))).toEqual(whole);
  });

  it('is the whole collection when the body is compressed', () => {
    const body = { points: [{ id: 7, vector }] };
    expect(touchedBy(seen('PUT', '/points', body, { encoding: 'gzip' }))).toEqual(whole);
  });

  it('is never less than the points when their payloads speak of ids as well', () => {
    const body = {
      points: [
        { payload: { id: 'user-1', ids: ['a', 2], filter: { id: 9 } }, id: 7, vector },
        { id: UUID.toUpperCase().replaceAll('-', ''), payload: { text: '"id":5 "ids":[6]' }, vector },
      ],
    };
    const touched = touchedBy(seen('PUT', '/points', body));
    expect(touched.kind === 'ids' ? [...touched.ids].sort() : touched).toEqual(
      ['"' + UUID + '"', '2', '7', '9'].sort(),
    );
  });

  it('is nothing for settings and indexes, and the aliases for aliases', () => {
    expect(touchedBy(seen('PATCH', '', {}))).toEqual({ kind: 'nothing' });
    expect(touchedBy(seen('PUT', '/index?wait=true', {}))).toEqual({ kind: 'nothing' });
    expect(touchedBy(seen('DELETE', '/index/a', null))).toEqual({ kind: 'nothing' });
    expect(
      touchedBy({
        method: 'POST',
        url: '/collections/aliases',
        encoding: undefined,
        body: Buffer.from('{}'),
      }),
    ).toEqual({
      kind: 'aliases',
    });
  });

  it('is under the name that was used, decoded', () => {
    const touched = touchedBy({
      ...seen('POST', '', null),
      url: '/collections/my%20docs/points/delete',
      body: Buffer.from('{"points":[1]}'),
    });
    expect(touched).toEqual({ kind: 'ids', name: 'my docs', ids: ['1'] });
  });
});
