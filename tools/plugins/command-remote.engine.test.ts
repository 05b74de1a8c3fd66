/** What the program may rely on from remote commands, true of the vendor's plugin as of ours. */
import { readFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { startSshd, type TestSshd } from './testing/sshd';
import { finished, Project } from './testing/project';
import { until } from './testing/until';

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

const SECRET = 'correct-horse-battery';

function connection(over: Readonly<Record<string, unknown>> = {}): string {
  const { port, user, privateKey, hostKey } = sshd;
  return JSON.stringify({ host: '127.0.0.1', port, user, privateKey, hostKey, ...over });
}

/** A program with one remote command `c`. */
function remote(args: string, options = '{}', over: Readonly<Record<string, unknown>> = {}): string {
  return `const c = new command.remote.Command('c', { connection: ${connection(over)}, ${args} }, ${options});
exports.stdout = c.stdout; exports.stderr = c.stderr;`;
}

/** Path of a file that commands write into. */
function file(name: string): string {
  return path.join(sshd.folder, name);
}

async function lines(name: string): Promise<string[]> {
  return (await readFile(file(name), 'utf8')).trim().split('\n');
}

describe('remote command', () => {
  it('runs once and answers both streams without their last newline, and not again while nothing changes', async () => {
    const program = remote(`create: 'echo ran >> ${file('once')}; echo one; echo two; echo oops >&2'`);
    await project.mustUp(program);
    expect(await project.outputs()).toEqual({ stdout: 'one\ntwo', stderr: 'oops' });
    const again = await project.mustUp(program);
    expect(again).toContain('2 unchanged');
    expect(await lines('once')).toEqual(['ran']);
  });

  it('runs nothing and tells no output in a preview', async () => {
    const { output } = await project.preview(remote(`create: 'echo ran > ${file('previewed')}'`));
    expect(output).toMatch(/stdout\s*: \[unknown\]/);
    expect(existsSync(file('previewed'))).toBe(false);
  });

  it('keeps the connection secret, in the state and on the screen', async () => {
    const output = await project.mustUp(remote(`create: 'true'`));
    const state = await project.stateText();
    const line = sshd.privateKey.split('\n')[2] as string;
    expect(state).not.toContain(line);
    expect(output).not.toContain(line);
    expect(output).toMatch(/connection\s*: \[secret\]/);
  });

  it('refuses inputs that it does not have, and a connection without a host', async () => {
    const unknown = await project.up(remote(`create: 'true'`, '{}', { hots: 'a typo' }));
    expect(unknown.status).not.toBe(0);
    expect(unknown.output).toContain('hots');
    const hostless = await project.up(
      `new command.remote.Command('c', { connection: { user: 'root' }, create: 'true' });`,
    );
    expect(hostless.status).not.toBe(0);
    expect(hostless.output).toContain('host');
  });

  it('runs delete when it is destroyed, and leaves the state as it was when delete fails', async () => {
    await project.mustUp(remote(`create: 'true', delete: 'exit 4'`));
    const failed = await project.run(['destroy', '--yes', '--skip-preview']);
    expect(failed.status).not.toBe(0);
    expect(failed.output).toContain('Process exited with status 4');
    await project.mustUp(remote(`create: 'true', delete: 'echo gone >> ${file('deleted')}'`));
    await project.mustRun(['destroy', '--yes', '--skip-preview']);
    expect(await lines('deleted')).toEqual(['gone']);
  });

  it('is not in the state when create fails', async () => {
    const { status } = await project.up(remote(`create: 'false'`));
    expect(status).not.toBe(0);
    expect((await project.resources()).map(({ type }) => type)).not.toContain('command:remote:Command');
  });

  it('keeps what is deployed through a refresh', async () => {
    await project.mustUp(remote(`create: 'echo kept'`));
    await project.mustRun(['refresh', '--yes', '--skip-preview']);
    expect((await project.resource('c')).outputs).toMatchObject({ stdout: 'kept' });
  });

  it('feeds a large stdin whole, and minds no command that does not read it', async () => {
    const large = `'x'.repeat(3000000) + 'end'`;
    await project.mustUp(remote(`create: 'tail -c 4; true', stdin: ${large}`));
    expect(await project.outputs()).toMatchObject({ stdout: 'xend' });
    await project.mustUp(remote(`create: 'echo unread', stdin: ${large}`));
    expect(await project.outputs()).toMatchObject({ stdout: 'unread' });
  });

  it('goes through a jump host', async () => {
    const { port, user, privateKey, hostKey } = sshd;
    const over = { proxy: { host: '127.0.0.1', port, user, privateKey, hostKey } };
    await project.mustUp(remote(`create: 'echo through'`, '{}', over));
    expect(await project.outputs()).toMatchObject({ stdout: 'through' });
  });

  it('ends soon when the deployment is cancelled in the middle of a command', async () => {
    const child = await project.startUp(remote(`create: 'echo $$ > ${file('pid')}; exec sleep 300'`));
    const end = finished(child);
    await until(() => existsSync(file('pid')));
    child.kill('SIGINT');
    expect((await end).status).not.toBe(0);
    // The server ends the command only for users other than root, so the test does it.
    const pid = Number((await lines('pid'))[0]);
    if (existsSync(`/proc/${pid}`)) process.kill(pid);
  });
});

describe('trap 34: secrets in commands', () => {
  it('hands a secret over by stdin, encrypted in the state and in no process list', async () => {
    await project.mustUp(
      remote(
        `create: 'cat > ${file('by-stdin')}; ps -ef > ${file('ps')}', stdin: pulumi.secret('${SECRET}')`,
      ),
    );
    expect(await lines('by-stdin')).toEqual([SECRET]);
    expect(await readFile(file('ps'), 'utf8')).not.toContain(SECRET);
    expect(await project.stateText()).not.toContain(SECRET);
  });
});

describe('trap 36: the measured facts of the plugin', () => {
  it('refuses `environment` against a stock sshd, and does not run the command', async () => {
    const { status, output } = await project.up(
      remote(`create: 'echo ran > ${file('with-environment')}', environment: { PW: 'x' }`),
    );
    expect(status).not.toBe(0);
    expect(output).toContain("Unable to set 'PW'");
    expect(output).toContain('AcceptEnv');
    expect(output).toContain('setenv failed');
    expect(existsSync(file('with-environment'))).toBe(false);
  });

  it('sets variables that the server accepts', async () => {
    await project.mustUp(remote(`create: 'echo $LC_TEST', environment: { LC_TEST: 'accepted' }`));
    expect(await project.outputs()).toMatchObject({ stdout: 'accepted' });
  });

  it('warns of PULUMI_COMMAND_STDOUT on update and delete, unless addPreviousOutputInEnv is false', async () => {
    await project.mustUp(remote(`create: 'echo 1; echo 2 >&2', delete: 'true'`));
    const updated = await project.mustUp(remote(`create: 'echo 3; echo 4 >&2', delete: 'true'`));
    expect(updated).toContain("warning: Unable to set 'PULUMI_COMMAND_STDOUT'");
    expect(updated).toContain("warning: Unable to set 'PULUMI_COMMAND_STDERR'");
    expect(await project.mustRun(['destroy', '--yes', '--skip-preview'])).toContain('PULUMI_COMMAND_STDOUT');

    const quiet = `delete: 'true', addPreviousOutputInEnv: false`;
    await project.mustUp(remote(`create: 'echo 1', ${quiet}`));
    expect(await project.mustUp(remote(`create: 'echo 3', ${quiet}`))).not.toContain('Unable to set');
    expect(await project.mustRun(['destroy', '--yes', '--skip-preview'])).not.toContain('Unable to set');
  });

  it('does not make stdout secret because stdin is: it shows in the log, the outputs and the state', async () => {
    const output = await project.mustUp(remote(`create: 'cat', stdin: pulumi.secret('${SECRET}')`));
    expect(output).toContain(SECRET);
    expect((await project.resource('c')).outputs).toMatchObject({ stdout: SECRET });
    expect(await project.stateText()).toContain(SECRET);
  });

  it("says a failing command's whole output in its error", async () => {
    const { status, output } = await project.up(
      remote(`create: 'cat; echo more; exit 7', stdin: pulumi.secret('${SECRET}'), logging: 'none'`),
    );
    expect(status).not.toBe(0);
    expect(output).toContain('Process exited with status 7: running "cat; echo more; exit 7":');
    expect(output).toMatch(new RegExp(`${SECRET}\\s*more`));
  });

  it('keeps output from log and state with logging none and additionalSecretOutputs', async () => {
    const output = await project.mustUp(
      remote(
        `create: 'cat', stdin: pulumi.secret('${SECRET}'), logging: 'none'`,
        `{ additionalSecretOutputs: ['stdout'] }`,
      ),
    );
    expect(output).not.toContain(SECRET);
    expect(await project.stateText()).not.toContain(SECRET);
    expect(await project.outputs()).toMatchObject({ stdout: SECRET });
  });

  it('shows one stream alone with logging stdout or stderr', async () => {
    const create = `create: 'printf "out%s\\\\n" put; printf "err%s\\\\n" or >&2'`;
    const stdoutOnly = await project.mustUp(remote(`${create}, logging: 'stdout'`));
    expect(stdoutOnly).toMatch(/^output$/m);
    expect(stdoutOnly).not.toMatch(/^error$/m);
    const stderrOnly = await project.mustUp(remote(`${create}, logging: 'stderr'`));
    expect(stderrOnly).toMatch(/^error$/m);
    expect(stderrOnly).not.toMatch(/^output$/m);
  });

  it('replaces on changed triggers: the new create runs before the old delete, which then undoes it', async () => {
    const both = (trigger: string): string =>
      `create: 'echo create ${trigger} >> ${file('order')}', delete: 'echo delete ${trigger} >> ${file('order')}', triggers: ['${trigger}']`;
    await project.mustUp(remote(both('old')));
    expect(await project.mustUp(remote(both('new')))).toContain('1 replaced');
    expect(await lines('order')).toEqual(['create old', 'create new', 'delete old']);
  });

  it('replaces the other way round with deleteBeforeReplace', async () => {
    const both = (trigger: string): string =>
      remote(
        `create: 'echo create ${trigger} >> ${file('order2')}', delete: 'echo delete ${trigger} >> ${file('order2')}', triggers: ['${trigger}']`,
        '{ deleteBeforeReplace: true }',
      );
    await project.mustUp(both('old'));
    await project.mustUp(both('new'));
    expect(await lines('order2')).toEqual(['create old', 'delete old', 'create new']);
  });

  it('replaces when triggers are added or removed as a whole', async () => {
    await project.mustUp(remote(`create: 'true'`));
    expect(await project.mustUp(remote(`create: 'true', triggers: [1]`))).toContain('1 replaced');
    expect(await project.mustUp(remote(`create: 'true'`))).toContain('1 replaced');
  });

  it('updates in place on changed create, stdin or connection: runs update, else create again', async () => {
    const log = file('updates');
    await project.mustUp(remote(`create: 'echo create >> ${log}', stdin: 'a'`));
    const { id } = await project.resource('c');
    expect(await project.mustUp(remote(`create: 'echo create >> ${log}', stdin: 'b'`))).toContain(
      '1 updated',
    );
    expect(
      await project.mustUp(
        remote(`create: 'echo other >> ${log}', update: 'echo update >> ${log}', stdin: 'b'`),
      ),
    ).toContain('1 updated');
    expect(
      await project.mustUp(
        remote(`create: 'echo other >> ${log}', update: 'echo update >> ${log}', stdin: 'b'`, '{}', {
          dialErrorLimit: 3,
        }),
      ),
    ).toContain('1 updated');
    expect(await lines('updates')).toEqual(['create', 'create', 'update', 'update']);
    expect((await project.resource('c')).id).toBe(id);
  });

  it('takes the known host key line, and on a mismatch tries dialErrorLimit times before it says so', async () => {
    await project.mustUp(remote(`create: 'true'`));
    const { status, output } = await project.up(
      remote(`create: 'echo changed'`, '{}', { hostKey: sshd.otherHostKey, dialErrorLimit: 2 }),
    );
    expect(status).not.toBe(0);
    expect(output).toContain('Dial 1/2 failed: retrying');
    expect(output).toContain('Dial 2/2 failed: retrying');
    expect(output).toContain('after 2 failed attempts');
    expect(output).toContain('host key mismatch');
  });

  it('refuses a host key that is no key line at once', async () => {
    const { status, output } = await project.up(
      remote(`create: 'true'`, '{}', { hostKey: 'SHA256:nonsense' }),
    );
    expect(status).not.toBe(0);
    expect(output).toContain('failed to parse host key');
    expect(output).not.toContain('retrying');
  });

  it('says when nothing listens', async () => {
    const { status, output } = await project.up(
      remote(`create: 'true'`, '{}', { port: 1, dialErrorLimit: 1 }),
    );
    expect(status).not.toBe(0);
    expect(output).toContain('connection refused');
  });
});
