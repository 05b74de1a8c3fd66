import { parseExact, stringifyExact } from './exact-json';
import { hashPoint, keyOf } from './point-hash';

const read = (text: string) => hashPoint(parseExact(text) as { id: unknown });

describe('the hash of a point', () => {
  it.each([
    [
      'the order of keys',
      '{"id":1,"payload":{"a":1,"b":{"c":2,"d":3}}}',
      '{"id":1,"payload":{"b":{"d":3,"c":2},"a":1}}',
    ],
    ['how a float is printed', '{"id":1,"vector":[0.1,2]}', '{"id":1,"vector":[0.10000000149011612,2.0]}'],
    ['the sign of nothing', '{"id":1,"vector":[0.0,1]}', '{"id":1,"vector":[-0.0,1]}'],
    ['an absent payload', '{"id":1,"payload":null,"vector":[1]}', '{"id":1,"payload":{},"vector":[1]}'],
    ['absent vectors', '{"id":1,"vector":{}}', '{"id":1,"vector":{"text":null}}'],
    ['the name of the unnamed vector', '{"id":1,"vector":[1,2]}', '{"id":1,"vector":{"":[1,2]}}'],
    ['the order of names', '{"id":1,"vector":{"a":[1],"b":[2]}}', '{"id":1,"vector":{"b":[2],"a":[1]}}'],
    [
      'the order of sparse indices',
      '{"id":1,"vector":{"s":{"indices":[7,3],"values":[0.7,0.3]}}}',
      '{"id":1,"vector":{"s":{"values":[0.3,0.7],"indices":[3,7]}}}',
    ],
  ])('is the same whatever %s', (_what, a, b) => {
    expect(read(a)).toEqual(read(b));
  });

  it.each([
    ['a value of the payload', '{"id":1,"payload":{"a":1}}', '{"id":1,"payload":{"a":2}}'],
    ['null and absent fields', '{"id":1,"payload":{"a":null,"b":1}}', '{"id":1,"payload":{"b":1}}'],
    [
      'integers that a double cannot hold',
      '{"id":1,"payload":{"a":9007199254740993}}',
      '{"id":1,"payload":{"a":9007199254740992}}',
    ],
    ['text and numbers', '{"id":1,"payload":{"a":"1"}}', '{"id":1,"payload":{"a":1}}'],
    ['orders of a list', '{"id":1,"payload":{"a":[1,2]}}', '{"id":1,"payload":{"a":[2,1]}}'],
    ['a component', '{"id":1,"vector":[1,2,3]}', '{"id":1,"vector":[1,2,3.0000002]}'],
    ['names of vectors', '{"id":1,"vector":{"a":[1]}}', '{"id":1,"vector":{"b":[1]}}'],
    ['rows of a multivector', '{"id":1,"vector":[[1,2],[3,4]]}', '{"id":1,"vector":[[1,2,3,4]]}'],
    [
      'sparse and dense',
      '{"id":1,"vector":{"s":{"indices":[0],"values":[1]}}}',
      '{"id":1,"vector":{"s":[1]}}',
    ],
    [
      'sparse indices',
      '{"id":1,"vector":{"s":{"indices":[1],"values":[1]}}}',
      '{"id":1,"vector":{"s":{"indices":[2],"values":[1]}}}',
    ],
  ])('tells %s apart', (_what, a, b) => {
    expect(read(a)).not.toEqual(read(b));
  });

  it('says whether payload or vectors differ', () => {
    const one = read('{"id":1,"payload":{"a":1},"vector":[1]}');
    expect(read('{"id":1,"payload":{"a":2},"vector":[1]}').vectors).toBe(one.vectors);
    expect(read('{"id":1,"payload":{"a":1},"vector":[2]}').payload).toBe(one.payload);
  });
});

describe('exact JSON', () => {
  it('keeps ids of 64 bits, and texts that look like them', () => {
    const text =
      '{"id":18446744073709551615,"payload":{"t":"18446744073709551615","n":-9223372036854775807,"f":0.12345678901234568}}';
    const value = parseExact(text) as { id: unknown };
    expect(keyOf(value.id)).toBe('18446744073709551615');
    expect(stringifyExact(value)).toBe(text);
  });

  it('keeps texts with quotes, digits and escapes', () => {
    const text = JSON.stringify({
      a: 'x\\"9007199254740993,',
      b: [9007199254740991, 1e21],
      c: '\u0000big:nothing',
    });
    expect(stringifyExact(parseExact(text))).toBe(text);
  });

  it('refuses what is no id', () => {
    expect(() => keyOf(1.5)).toThrow('no id of a point');
    expect(() => keyOf(null)).toThrow('no id of a point');
  });
});
