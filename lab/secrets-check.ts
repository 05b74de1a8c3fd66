/**
 * Looks for the deployment's secrets in the clear, everywhere that somebody without the right to them could look:
 * exported state, the state's own files, journals, process lists, and every file that an unprivileged user can read.
 *
 * Each place is also searched for a word that must be there; a place where it is missing was not really searched, and
 * counts as a failure, so that an empty listing cannot pass.
 */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

import { WitnessOutputs } from '../infra/contract/stack-outputs';
import { progress, REPOSITORY } from '../tools/cache';
import { run } from '../tools/run';
import { PKI_FOLDER } from './pki';

const LAB = path.join(REPOSITORY, 'lab', 'lab');
const STACKS = ['witness', 'uk-primary', 'eu-standby'] as const;
/** Every process of ours has it in its command line or path, every unit in the journal, every stack in its state. */
const CONTROL = 'failover';

interface Finding {
  readonly place: string;
  readonly what: string;
}

/** The plain secrets by name, and base64 of each, since state and logs like to carry that. */
async function secrets(): Promise<Map<string, string>> {
  const outputs = WitnessOutputs.parse(
    JSON.parse(
      await run(LAB, ['pulumi', 'stack', 'output', '--stack', 'witness', '--json', '--show-secrets']),
    ),
  );
  const found = new Map<string, string>();
  for (const name of [
    'clientKey',
    'operatorKey',
    'peerKey',
    'qdrantKey',
    'vllmKey',
    'repositoryKey',
    'tsigKey',
  ] as const)
    found.set(name, outputs[name]);
  for (const [site, account] of Object.entries(outputs.storeAccounts))
    found.set(`store key of ${site}`, account.secretKey);
  for (const file of await privateKeys()) {
    const body = (await readFile(file, 'utf8')).split('\n')[2];
    if (body !== undefined && body.length > 20) found.set(`private key ${path.basename(file)}`, body);
  }
  for (const [name, value] of [...found])
    found.set(`${name} (base64)`, Buffer.from(value).toString('base64').replace(/=+$/, '').slice(0, -1));
  return found;
}

async function privateKeys(): Promise<string[]> {
  const folder = PKI_FOLDER;
  return (await readdir(folder))
    .filter((name) => name.endsWith('.key'))
    .map((name) => path.join(folder, name));
}

/** Judges one text that was collected from a place. */
export function judge(place: string, text: string, wanted: ReadonlyMap<string, string>): Finding[] {
  const findings = [...wanted]
    .filter(([, value]) => text.includes(value))
    .map(([name]) => ({ place, what: `${name} in the clear` }));
  if (!text.includes(CONTROL))
    findings.push({ place, what: `not searched: it does not even contain the word "${CONTROL}"` });
  return findings;
}

async function serversOf(stack: string): Promise<string[]> {
  const outputs = JSON.parse(await run(LAB, ['pulumi', 'stack', 'output', '--stack', stack, '--json'])) as {
    servers: { name: string }[];
  };
  return outputs.servers.map((server) => server.name);
}

/** As `nobody`: names of readable files that hold a pattern. The patterns go in by stdin, not by the command line. */
const READABLE_FILES = `
p=$(mktemp -p /dev/shm); chmod 644 "$p"; trap 'rm -f "$p"' EXIT; cat > "$p"
setpriv --reuid=65534 --regid=65534 --clear-groups find / /run /var /tmp -xdev -type f -readable -size -32M \
  -not -path "$p" -print0 2>/dev/null | setpriv --reuid=65534 --regid=65534 --clear-groups xargs -0 -r grep -lFf "$p" 2>/dev/null | sort -u
true`;

async function searchServer(server: string, wanted: ReadonlyMap<string, string>): Promise<Finding[]> {
  const ssh = (script: string, input = ''): Promise<string> =>
    run(LAB, ['ssh', server, '--', 'bash', '-s'], { input: input === '' ? script : `${script}\n` });
  const findings = [
    ...judge(`journal of ${server}`, await ssh('journalctl --no-pager --all --output=cat'), wanted),
    ...judge(`processes of ${server}`, await ssh('ps axww -o args'), wanted),
  ];
  const list = [...wanted.values(), 'failover-agent'].join('\n');
  const names = await ssh(`bash -c ${quote(READABLE_FILES)} <<'PATTERNS'\n${list}\nPATTERNS`);
  const files = names.split('\n').filter((name) => name !== '');
  if (files.length === 0)
    findings.push({
      place: `disk of ${server}`,
      what: 'not searched: no readable file names failover-agent',
    });
  for (const file of files) {
    const text = await ssh(`cat ${quote(file)}`);
    findings.push(
      ...[...wanted]
        .filter(([, value]) => text.includes(value))
        .map(([name]) => ({ place: `${server}:${file}`, what: `${name}, readable by anyone` })),
    );
  }
  return findings;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

async function main(): Promise<void> {
  const wanted = await secrets();
  const findings: Finding[] = [];
  for (const stack of STACKS) {
    progress(`searching the exported state of ${stack}`);
    findings.push(
      ...judge(`state of ${stack}`, await run(LAB, ['pulumi', 'stack', 'export', '--stack', stack]), wanted),
    );
    for (const server of await serversOf(stack)) {
      progress(`searching journal, processes and readable files of ${server}`);
      findings.push(...(await searchServer(server, wanted)));
    }
  }
  for (const finding of findings) process.stdout.write(`FOUND  ${finding.place}: ${finding.what}\n`);
  process.stdout.write(
    findings.length === 0
      ? `no secret in the clear: ${wanted.size} patterns, ${STACKS.length} states, their servers' journals, processes and readable files\n`
      : `${findings.length} finding(s)\n`,
  );
  process.exitCode = findings.length === 0 ? 0 : 1;
}

if (require.main === module)
  main().catch((error: unknown) => {
    process.stderr.write(`secrets-check: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 2;
  });
