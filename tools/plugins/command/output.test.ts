import { CommandEndedError, OutputRecorder, previousOutput } from './output';

function recorder(logging?: 'stdout' | 'stderr' | 'stdoutAndStderr' | 'none'): [OutputRecorder, string[]] {
  const told: string[] = [];
  const log = { status: (line: string) => told.push(line), warning: () => undefined, error: () => undefined };
  return [new OutputRecorder(logging, log), told];
}

describe('OutputRecorder', () => {
  it('tells whole lines, also those that come in pieces, and the rest in the end', () => {
    const [output, told] = recorder();
    for (const piece of ['on', 'e\ntwo\nth', 'ree']) output.stdout(Buffer.from(piece));
    expect(told).toEqual(['one', 'two']);
    expect(output.end()).toEqual({ stdout: 'one\ntwo\nthree', stderr: '' });
    expect(told).toEqual(['one', 'two', 'three']);
  });

  it('keeps a character whose bytes come apart whole', () => {
    const [output, told] = recorder();
    const bytes = Buffer.from('ä\n');
    output.stdout(bytes.subarray(0, 1));
    output.stdout(bytes.subarray(1));
    expect(output.end().stdout).toBe('ä');
    expect(told).toEqual(['ä']);
  });

  it.each([
    ['stdout', ['out']],
    ['stderr', ['err']],
    ['stdoutAndStderr', ['out', 'err']],
    ['none', []],
  ] as const)('tells with logging %s only %j', (logging, expected) => {
    const [output, told] = recorder(logging);
    output.stdout(Buffer.from('out\n'));
    output.stderr(Buffer.from('err\n'));
    expect(output.end()).toEqual({ stdout: 'out', stderr: 'err' });
    expect(told).toEqual(expected);
    expect(output.all()).toBe('out\nerr\n');
  });

  it('takes off one last newline only', () => {
    const [output] = recorder();
    output.stdout(Buffer.from('a\n\n'));
    expect(output.end().stdout).toBe('a\n');
  });
});

describe('previousOutput', () => {
  it('hands over what was printed, unless told not to', () => {
    expect(previousOutput({}, { stdout: 'o', stderr: '' })).toEqual({ PULUMI_COMMAND_STDOUT: 'o' });
    expect(previousOutput({ addPreviousOutputInEnv: false }, { stdout: 'o', stderr: 'e' })).toEqual({});
  });
});

describe('CommandEndedError', () => {
  it('says the command on one line and everything that it printed', () => {
    expect(new CommandEndedError('exit status 1', 'a\n"b"\u001b', 'printed\n').message).toBe(
      'exit status 1: running "a\\n\\"b\\"\\x1b":\nprinted\n',
    );
  });
});
