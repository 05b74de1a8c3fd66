import { checkFields, type Fields } from './schema';
import { isSecret, plain, secret, UNKNOWN } from './values';

const FIELDS: Fields = {
  fields: {
    connection: {
      type: {
        fields: {
          host: { type: 'string', required: true },
          port: { type: 'number', default: 22 },
          password: { type: 'string', secret: true },
        },
      },
      required: true,
      secret: true,
    },
    logging: { type: { oneOf: ['stdout', 'none'] } },
    environment: { type: { mapOf: 'string' } },
    paths: { type: { listOf: 'string' } },
  },
};

describe('checkFields', () => {
  it('fills in defaults and marks what is secret by nature, inside and out', () => {
    const { inputs, failures } = checkFields(FIELDS, { connection: { host: 'h', password: 'p' } });
    expect(failures).toEqual([]);
    expect(plain(inputs)).toEqual({ connection: { host: 'h', port: 22, password: 'p' } });
    const connection = inputs['connection'];
    expect(isSecret(connection) && isSecret((connection.value as { password: never }).password)).toBe(true);
  });

  it('keeps a secret that the program made', () => {
    const { inputs } = checkFields(FIELDS, { connection: { host: 'h' }, logging: secret('none') });
    expect(isSecret(inputs['logging'])).toBe(true);
  });

  it('takes unknowns of any place for valid, and marks an unknown secret', () => {
    const { inputs, failures } = checkFields(FIELDS, { connection: UNKNOWN, environment: { A: UNKNOWN } });
    expect(failures).toEqual([]);
    expect(inputs['connection']).toEqual(secret(UNKNOWN));
  });

  it.each([
    [{}, 'connection', 'is required but missing'],
    [{ connection: { port: 1 } }, 'connection.host', 'is required but missing'],
    [{ connection: { host: 1 } }, 'connection.host', 'must be a string, got a number'],
    [{ connection: { host: 'h', hots: 'h' } }, 'connection.hots', 'is not an input'],
    [{ connection: { host: 'h' }, logging: 'all' }, 'logging', 'must be one of stdout, none'],
    [{ connection: { host: 'h' }, environment: { A: 1 } }, 'environment.A', 'must be a string'],
    [{ connection: { host: 'h' }, paths: 'x' }, 'paths', 'must be a list, got a string'],
    [{ connection: { host: 'h' }, paths: ['x', 1] }, 'paths[1]', 'must be a string'],
  ])('refuses %j', (inputs, property, reason) => {
    const { failures } = checkFields(FIELDS, inputs);
    expect(failures).toEqual([{ property, reason: expect.stringContaining(reason) }]);
  });
});
