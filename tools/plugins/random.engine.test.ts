/** What the program may rely on from random values, true of the vendor's plugin as of ours. */
import { compareSync } from 'bcryptjs';
import { Project } from './testing/project';

let project: Project;

beforeEach(async () => {
  project = await Project.create();
}, 300_000);
afterEach(async () => project.end());

function password(args: string): string {
  return `const r = new random.RandomPassword('r', { ${args} }); exports.result = r.result; exports.hash = r.bcryptHash;`;
}

async function resultOf(program: string): Promise<string> {
  await project.mustUp(program);
  return (await project.outputs())['result'] as string;
}

describe('RandomPassword', () => {
  it('is secret on the screen and in the state, with a hash that matches', async () => {
    const output = await project.mustUp(password('length: 40'));
    const { result, hash } = (await project.outputs()) as { result: string; hash: string };
    expect(result).toHaveLength(40);
    expect(compareSync(result, hash)).toBe(true);
    expect(hash).toMatch(/^\$2a\$10\$/);
    for (const text of [output, await project.stateText()]) {
      expect(text).not.toContain(result);
      expect(text).not.toContain(hash);
    }
  });

  it('stays the same while nothing changes, also when a default is said aloud', async () => {
    const first = await resultOf(password('length: 20'));
    expect(await resultOf(password('length: 20'))).toBe(first);
    expect(await resultOf(password('length: 20, special: true, minUpper: 0'))).toBe(first);
  });

  it('is replaced when its keepers or its rules change', async () => {
    const first = await resultOf(password(`length: 20, keepers: { epoch: '1' }`));
    const second = await resultOf(password(`length: 20, keepers: { epoch: '2' }`));
    const third = await resultOf(password(`length: 21, keepers: { epoch: '2' }`));
    expect(new Set([first, second, third]).size).toBe(3);
  });

  it('holds to its rules', async () => {
    const result = await resultOf(
      password(`length: 12, upper: false, minNumeric: 3, minSpecial: 4, overrideSpecial: '_%'`),
    );
    expect(result).toMatch(/^[a-z0-9_%]{12}$/);
    expect(result.replace(/[^0-9]/g, '').length).toBeGreaterThanOrEqual(3);
    expect(result.replace(/[^_%]/g, '').length).toBeGreaterThanOrEqual(4);
    expect(await resultOf(password('length: 16, special: false'))).toMatch(/^[A-Za-z0-9]{16}$/);
  });

  it('refuses a length below the sum of its minimums', async () => {
    const { status, output } = await project.up(password('length: 3, minUpper: 2, minLower: 2'));
    expect(status).not.toBe(0);
    expect(output).toContain('length');
  });

  it('tells no result in a preview', async () => {
    const { status, output } = await project.preview(password('length: 20'));
    expect(status).toBe(0);
    expect(output).toMatch(/result\s*: \[(secret|unknown)\]/);
  });
});

describe('the other random values', () => {
  it('have the forms that their names promise', async () => {
    await project.mustUp(`
      const id = new random.RandomId('id', { byteLength: 8, prefix: 'p-' });
      const string = new random.RandomString('string', { length: 9, special: false });
      const bytes = new random.RandomBytes('bytes', { length: 16 });
      const uuid = new random.RandomUuid('uuid');
      module.exports = { hex: id.hex, dec: id.dec, b64Url: id.b64Url, b64Std: id.b64Std, id: id.id,
        string: string.result, base64: bytes.base64, bytesHex: bytes.hex, uuid: uuid.result };`);
    const outputs = (await project.outputs()) as Record<string, string>;
    const bytes = Buffer.from((outputs['hex'] as string).slice(2), 'hex');
    expect(outputs).toMatchObject({
      hex: `p-${bytes.toString('hex')}`,
      dec: `p-${BigInt(`0x${bytes.toString('hex')}`)}`,
      b64Url: `p-${bytes.toString('base64url')}`,
      b64Std: `p-${bytes.toString('base64')}`,
      id: bytes.toString('base64url'),
    });
    expect(outputs['string']).toMatch(/^[A-Za-z0-9]{9}$/);
    expect(Buffer.from(outputs['base64'] as string, 'base64').toString('hex')).toBe(outputs['bytesHex']);
    expect(outputs['bytesHex']).toHaveLength(32);
    expect(outputs['uuid']).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    const resources = await project.resources();
    const stored = (name: string): unknown => resources.find(({ urn }) => urn.endsWith(`::${name}`))?.outputs;
    expect(JSON.stringify(stored('bytes'))).not.toContain(outputs['bytesHex']);
    expect(JSON.stringify(stored('string'))).toContain(outputs['string']);
  });
});
