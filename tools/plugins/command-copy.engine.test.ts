/** What copying to a server does and does not do, true of the vendor's plugin as of ours. */
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Project } from './testing/project';
import { startSshd, type TestSshd } from './testing/sshd';

let sshd: TestSshd;
let project: Project;

beforeAll(async () => {
  sshd = await startSshd();
}, 60_000);
afterAll(async () => sshd.stop());
beforeEach(async () => {
  project = await Project.create();
}, 300_000);
afterEach(async () => project.end());

function copy(
  source: string,
  remotePath: string,
  over: Readonly<Record<string, unknown>> = {},
  rest = '',
): string {
  const { port, user, privateKey, hostKey } = sshd;
  const connection = JSON.stringify({ host: '127.0.0.1', port, user, privateKey, hostKey, ...over });
  return `new command.remote.CopyToRemote('c', {
    connection: ${connection}, source: ${source}, remotePath: '${remotePath}' ${rest} });`;
}

function remote(...names: string[]): string {
  return path.join(sshd.folder, ...names);
}

async function modeOf(file: string): Promise<string> {
  return ((await stat(file)).mode & 0o777).toString(8);
}

describe('trap 36: CopyToRemote', () => {
  it('puts a folder under its own name, with the modes of the server, not its own', async () => {
    const source = path.join(project.folder, 'bundle');
    await mkdir(path.join(source, 'bin'), { recursive: true, mode: 0o700 });
    await writeFile(path.join(source, 'bin', 'tool'), '#!/bin/sh\n', { mode: 0o700 });
    await chmod(path.join(source, 'bin', 'tool'), 0o700);
    await project.mustUp(copy(`new pulumi.asset.FileArchive('${source}')`, remote('modes', 'deep')));
    const tool = remote('modes', 'deep', 'bundle', 'bin', 'tool');
    expect(await readFile(tool, 'utf8')).toBe('#!/bin/sh\n');
    expect(await modeOf(tool)).toBe('644');
    expect(await modeOf(path.dirname(tool))).toBe('755');
  });

  it("puts a folder's content itself when its path ends in a slash", async () => {
    const source = path.join(project.folder, 'bundle');
    await mkdir(source);
    await writeFile(path.join(source, 'a'), 'a');
    await project.mustUp(copy(`new pulumi.asset.FileArchive('${source}/')`, remote('content')));
    expect(await readdir(remote('content'))).toEqual(['a']);
  });

  it('copies again when the content changed, leaves files that went away, and deletes nothing on destroy', async () => {
    const source = path.join(project.folder, 'bundle');
    await mkdir(source);
    await writeFile(path.join(source, 'goes'), '1');
    await writeFile(path.join(source, 'stays'), '1');
    const program = copy(`new pulumi.asset.FileArchive('${source}')`, remote('again'));
    await project.mustUp(program);
    await rm(path.join(source, 'goes'));
    await writeFile(path.join(source, 'stays'), '2');
    expect(await project.mustUp(program)).toContain('1 updated');
    expect(await readFile(remote('again', 'bundle', 'stays'), 'utf8')).toBe('2');
    expect(await readFile(remote('again', 'bundle', 'goes'), 'utf8')).toBe('1');
    await project.mustRun(['destroy', '--yes', '--skip-preview']);
    expect((await readdir(remote('again', 'bundle'))).sort()).toEqual(['goes', 'stays']);
  });
});

describe('CopyToRemote', () => {
  it('writes a text asset to a path whose folders it makes', async () => {
    await project.mustUp(copy(`new pulumi.asset.StringAsset('hällo\\n')`, remote('new', 'folder', 'text')));
    expect(await readFile(remote('new', 'folder', 'text'), 'utf8')).toBe('hällo\n');
    const { status, output } = await project.up(copy(`new pulumi.asset.StringAsset('x')`, remote('new')));
    expect(status).not.toBe(0);
    expect(output).toContain('is a directory');
  });

  it('copies a large file whole, into an existing folder under its name', async () => {
    const source = path.join(project.folder, 'large.bin');
    const content = Buffer.alloc(5 * 1024 * 1024, 'failover');
    await writeFile(source, content);
    await mkdir(remote('into'));
    await project.mustUp(copy(`new pulumi.asset.FileAsset('${source}')`, remote('into')));
    expect((await readFile(remote('into', 'large.bin'))).equals(content)).toBe(true);
  });

  it('copies nothing when only the connection changed', async () => {
    const asset = `new pulumi.asset.StringAsset('x')`;
    await project.mustUp(copy(asset, remote('kept')));
    await rm(remote('kept'));
    expect(await project.mustUp(copy(asset, remote('kept'), { dialErrorLimit: 4 }))).toContain('1 updated');
    expect(existsSync(remote('kept'))).toBe(false);
  });

  it('replaces, and so copies, on changed triggers', async () => {
    const asset = `new pulumi.asset.StringAsset('x')`;
    await project.mustUp(copy(asset, remote('triggered'), {}, ', triggers: [1]'));
    await rm(remote('triggered'));
    expect(await project.mustUp(copy(asset, remote('triggered'), {}, ', triggers: [2]'))).toContain(
      '1 replaced',
    );
    expect(existsSync(remote('triggered'))).toBe(true);
  });

  it('keeps a secret text encrypted in the state', async () => {
    await project.mustUp(copy(`pulumi.secret(new pulumi.asset.StringAsset('hush-hush'))`, remote('secret')));
    expect(await readFile(remote('secret'), 'utf8')).toBe('hush-hush');
    expect(await project.stateText()).not.toContain('hush-hush');
  });

  it('refuses a source that is neither asset nor archive', async () => {
    const { status } = await project.up(copy(`'text'`, remote('refused')));
    expect(status).not.toBe(0);
  });
});
