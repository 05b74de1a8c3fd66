/** What the program may rely on from local commands, true of the vendor's plugin as of ours. */
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { finished, Project } from './testing/project';
import { until } from './testing/until';

let project: Project;

beforeEach(async () => {
  project = await Project.create();
}, 300_000);
afterEach(async () => project.end());

function local(args: string, options = '{}'): string {
  return `const c = new command.local.Command('c', { ${args} }, ${options});
exports.stdout = c.stdout; exports.stderr = c.stderr;`;
}

function file(name: string): string {
  return path.join(project.folder, name);
}

async function lines(name: string): Promise<string[]> {
  return (await readFile(file(name), 'utf8')).trim().split('\n');
}

describe('local command', () => {
  it('runs with its environment, directory, interpreter and stdin', async () => {
    await mkdir(file('elsewhere'));
    await project.mustUp(
      local(`create: 'echo "$A $(basename $PWD) $0"; cat', environment: { A: 'b' }, dir: '${file('elsewhere')}',
        interpreter: ['/bin/bash', '-c'], stdin: 'in'`),
    );
    expect(await project.outputs()).toEqual({ stdout: 'b elsewhere /bin/bash\nin', stderr: '' });
  });

  it('finds what it printed before in the environment of its update and delete', async () => {
    const rest = `update: 'echo "was $PULUMI_COMMAND_STDOUT"', delete: 'echo "$PULUMI_COMMAND_STDOUT" > ${file('last')}'`;
    await project.mustUp(local(`create: 'echo first', ${rest}`));
    await project.mustUp(local(`create: 'echo second', ${rest}`));
    expect(await project.outputs()).toMatchObject({ stdout: 'was first' });
    await project.mustRun(['destroy', '--yes', '--skip-preview']);
    expect(await lines('last')).toEqual(['was first']);
  });

  it('says status and output when a command fails', async () => {
    const { status, output } = await project.up(local(`create: 'echo partly; exit 3'`));
    expect(status).not.toBe(0);
    expect(output).toContain('exit status 3: running "echo partly; exit 3":');
  });

  it('replaces on changed triggers and updates on all else', async () => {
    const log = `echo $PULUMI_X >> ${file('log')}`;
    await project.mustUp(local(`create: '${log}', environment: { PULUMI_X: '1' }, triggers: [{ a: 1 }]`));
    expect(
      await project.mustUp(local(`create: '${log}', environment: { PULUMI_X: '2' }, triggers: [{ a: 1 }]`)),
    ).toContain('1 updated');
    expect(
      await project.mustUp(local(`create: '${log}', environment: { PULUMI_X: '3' }, triggers: [{ a: 2 }]`)),
    ).toContain('1 replaced');
    expect(await lines('log')).toEqual(['1', '2', '3']);
  });

  it('answers the files that its rules select as assets, and as an archive that can trigger others', async () => {
    const program = `
      const c = new command.local.Command('c', {
        create: 'mkdir -p out/deep && echo ' + JSON.parse(require('fs').readFileSync('content.json')) +
          ' > out/a.txt && echo b > out/deep/b.txt && echo no > out/secret.txt',
        assetPaths: ['out/*.txt', '!**secret*'], archivePaths: ['out/**'],
      });
      const d = new command.local.Command('d', { create: 'echo again >> ${file('triggered')}', triggers: [c.archive] });
      exports.assets = c.assets.apply((assets) => Object.keys(assets));
      exports.archive = c.archive.apply(async (archive) => Object.keys(await archive.assets).sort());`;
    await writeFile(file('content.json'), '"one"');
    await project.mustUp(program);
    expect(await project.outputs()).toEqual({
      assets: ['out/a.txt'],
      archive: ['out/a.txt', 'out/deep/b.txt', 'out/secret.txt'],
    });
    await project.mustUp(program);
    expect(await lines('triggered')).toEqual(['again']);
    await writeFile(file('content.json'), '"two"');
    await project.mustUp(program);
    expect(await lines('triggered')).toEqual(['again', 'again']);
  });

  it('is killed when the deployment is cancelled', async () => {
    const child = await project.startUp(local(`create: 'echo $$ > ${file('pid')}; exec sleep 300'`));
    const end = finished(child);
    await until(() => existsSync(file('pid')));
    child.kill('SIGINT');
    expect((await end).status).not.toBe(0);
    const pid = Number((await lines('pid'))[0]);
    await until(() => !existsSync(`/proc/${pid}`));
  });

  it('ends with its command when the engine is killed', async () => {
    if (process.env['COMMAND_PLUGIN'] === 'vendor') return; // it looks after its engine every five minutes only
    const child = await project.startUp(local(`create: 'echo $$ $PPID > ${file('pids')}; exec sleep 300'`));
    const end = finished(child);
    await until(() => existsSync(file('pids')));
    child.kill('SIGKILL');
    await end;
    for (const pid of (await lines('pids')).join(' ').split(' '))
      await until(() => !existsSync(`/proc/${pid}`));
  });

  it('keeps a secret environment encrypted in the state', async () => {
    await project.mustUp(local(`create: 'true', environment: { A: pulumi.secret('hush-hush') }`));
    expect(await project.stateText()).not.toContain('hush-hush');
  });
});
