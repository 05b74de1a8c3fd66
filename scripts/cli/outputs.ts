/** Reads stack outputs, from Pulumi or from files, and checks them against the published schemas. */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import type { z } from 'zod';
import { SiteOutputs, WitnessOutputs } from '../../infra/contract/stack-outputs';
import { issues, parseJson } from './context';
import { CommandFailedError, OutputsInvalidError } from './errors';
import { splitWords } from './words';

/** Runs `pulumi stack output` for one stack. Its stdout holds secrets, so it is never part of a message. */
export async function readStackOutputs(pulumi: string, stack: string): Promise<string> {
  const [program, ...words] = splitWords(pulumi);
  if (program === undefined)
    throw new OutputsInvalidError('--pulumi is empty; expected a command such as "pulumi"');
  const args = [...words, 'stack', 'output', '--json', '--show-secrets', '--stack', stack];
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const command = `${program} ${words.join(' ')} stack output --stack ${stack}`.replace(/ +/g, ' ');
    child.on('error', (error) =>
      reject(new CommandFailedError(`\`${command}\` did not start: ${error.message}`)),
    );
    child.on('close', (status) =>
      status === 0
        ? resolve(stdout)
        : reject(
            new CommandFailedError(
              `\`${command}\` ended with status ${status}: ${stderr.trim().slice(-800)}`,
              {
                next: [
                  'the stack must be deployed and selectable from here; or pass saved outputs:',
                  'failover context save --witness-outputs FILE --site-outputs FILE FILE',
                ],
              },
            ),
          ),
    );
  });
}

/** A file's text; `-` is standard input. */
export async function readSource(file: string): Promise<string> {
  if (file !== '-') return readFile(file, 'utf8');
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

export function parseWitnessOutputs(text: string, source: string): WitnessOutputs {
  return check(WitnessOutputs, text, source, 'witness');
}

export function parseSiteOutputs(text: string, source: string): SiteOutputs {
  return check(SiteOutputs, text, source, 'site');
}

function check<T>(schema: z.ZodType<T>, text: string, source: string, kind: string): T {
  const parsed = schema.safeParse(parseJson(text));
  if (!parsed.success) {
    throw new OutputsInvalidError(
      `${source} does not hold the outputs of a ${kind} stack: ${issues(parsed.error)}`,
      {
        next: [
          'expected what `pulumi stack output --json --show-secrets` prints after a complete `pulumi up`',
        ],
      },
    );
  }
  return parsed.data;
}
