/** How the clients of other runtimes are started, and whether this machine can. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { UsageError } from '../../../cli/errors';

export const RUNTIMES = ['node', 'python', 'java'] as const;
export type Runtime = (typeof RUNTIMES)[number];

export interface RuntimeLaunch {
  /** The client's name in the report. */
  readonly client: string;
  readonly program: string;
  readonly args: readonly string[];
  /** Where the runtime itself reads which authority to trust, and cannot be told by its program. */
  readonly caVariable?: string;
}

/** The words of `--runtimes`, such as `node,python`. */
export function runtimesNamed(text: string): Runtime[] {
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.filter((name) => !RUNTIMES.some((runtime) => runtime === name));
  if (unknown.length > 0) throw new UsageError(`--runtimes wants some of ${RUNTIMES.join(',')}, got ${text}`);
  return RUNTIMES.filter((runtime) => names.includes(runtime));
}

/** @param python interpreter that has requests and httpx */
export function launchesOf(runtimes: readonly Runtime[], python: string): RuntimeLaunch[] {
  return runtimes.flatMap((runtime): RuntimeLaunch[] => {
    switch (runtime) {
      case 'node':
        return [
          {
            client: 'node-fetch',
            program: process.execPath,
            args: [programFile('client.mjs')],
            caVariable: 'NODE_EXTRA_CA_CERTS',
          },
        ];
      case 'python':
        return ['requests', 'httpx'].map((library) => ({
          client: `python-${library}`,
          program: python,
          args: [programFile('client.py'), library],
        }));
      case 'java':
        return [{ client: 'java-httpclient', program: 'java', args: [programFile('Client.java')] }];
    }
  });
}

/** Refuses a runtime that this machine lacks, before a drill has touched anything. */
export async function requireRuntimes(runtimes: readonly Runtime[], python: string): Promise<void> {
  if (runtimes.includes('python') && (await answerOf(python, ['-c', 'import requests, httpx'])) === null) {
    throw new UsageError(`--runtimes python needs requests and httpx, and ${python} does not have both`, {
      next: [
        `make an environment: python3 -m venv clients && clients/bin/pip install requests httpx`,
        'and name its interpreter: --python clients/bin/python',
      ],
    });
  }
  // A program in one source file is compiled as it starts, which a mere runtime environment cannot do.
  if (runtimes.includes('java') && !(await answerOf('java', ['--list-modules']))?.includes('jdk.compiler')) {
    throw new UsageError('--runtimes java needs a JDK of version 11 or later, and `java` is none here', {
      next: ['install one: sudo apt-get install openjdk-17-jdk-headless'],
    });
  }
}

/** The programs stand beside this file; the command's bundle lies in a folder of its own, `dist`. */
function programFile(name: string): string {
  const beside = path.join(__dirname, name);
  return existsSync(beside)
    ? beside
    : path.resolve(__dirname, '..', 'scripts', 'drill', 'clients', 'runtimes', name);
}

function answerOf(program: string, args: readonly string[]): Promise<string | null> {
  return new Promise((resolve) => {
    execFile(program, [...args], { timeout: 60_000 }, (error, stdout) =>
      resolve(error === null ? stdout : null),
    );
  });
}
