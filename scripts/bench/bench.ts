/** What edge and gateway cost, and what the agent uses when idle. Run it in the network of an active site's server. */
import { readFile, writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { defaultContextPath, loadContext, siteOf } from '../cli/context';
import { EXIT, UsageError } from '../cli/errors';
import { report } from '../cli/report-error';
import { number } from '../cli/option-values';
import { table } from '../cli/table';
import { findAgent, usageOf, type Usage } from './agent-usage';
import { GOALS, judge, judgeAgent, type Judged } from './judge';
import { createCollection, measureStreams, measureVectors, removeCollection, type Plan } from './measure';
import { Target } from './target';

interface Flags {
  readonly context?: string;
  readonly site?: string;
  readonly edgeAddress: string;
  readonly directQdrant: string;
  readonly directVllm: string;
  readonly qdrantKeyFile?: string;
  readonly vllmKeyFile?: string;
  readonly agentPid?: string;
  readonly points: string;
  readonly dimensions: string;
  readonly batch: string;
  readonly rounds: string;
  readonly seconds: string;
  readonly workers: string;
  readonly idleSeconds: string;
  readonly json?: string;
}

const program = new Command('bench')
  .description('direct against through edge and gateway, and the agent when idle')
  .option('--context <file>', 'as for failover')
  .option('--site <name>', 'the active site on whose server this runs (default: the primary)')
  .option('--edge-address <address>', "where the site's edge listens, seen from here", '127.0.0.1')
  .option('--direct-qdrant <url>', 'Qdrant itself', 'http://127.0.0.1:6333')
  .option('--direct-vllm <url>', 'vLLM itself', 'http://127.0.0.1:8000')
  .option('--qdrant-key-file <file>', "Qdrant's own key (else BENCH_QDRANT_KEY)")
  .option('--vllm-key-file <file>', "vLLM's own key (else BENCH_VLLM_KEY)")
  .option('--agent-pid <pid>', 'default: the agent in this network')
  .option('--points <n>', 'in the collection that is searched', '20000')
  .option('--dimensions <n>', 'of its vectors: 768 is what common embedding models give', '768')
  .option('--batch <n>', 'points in each upsert', '32')
  .option('--rounds <n>', 'rounds; the median counts', '5')
  .option('--seconds <n>', 'of each throughput and each latency measurement', '2')
  .option('--workers <n>', 'connections for throughput', '8')
  .option('--idle-seconds <n>', 'how long the idle agent is watched', '60')
  .option('--json <file>', 'write the results there as well')
  .showHelpAfterError()
  .action(bench);

async function bench(flags: Flags): Promise<void> {
  const context = await loadContext(flags.context ?? defaultContextPath());
  const site = siteOf(context, flags.site ?? context.primary);
  const plan: Plan = {
    rounds: number('--rounds', flags.rounds),
    seconds: number('--seconds', flags.seconds),
    workers: number('--workers', flags.workers),
    points: number('--points', flags.points),
    dimensions: number('--dimensions', flags.dimensions),
    batch: number('--batch', flags.batch),
    streams: 15,
    maxTokens: 64,
    model: context.modelName,
    onStep: (text) => process.stderr.write(`${text}\n`),
  };
  const usage = await idleAgent(flags);
  const edge = new Target({
    name: 'edge',
    url: `https://${site.host}:${site.port}`,
    address: flags.edgeAddress,
    caCertificate: context.caCertificate,
    headers: { authorization: `Bearer ${context.clientKey}` },
  });
  const qdrantKey = await keyFrom(flags.qdrantKeyFile, 'BENCH_QDRANT_KEY');
  const vllmKey = await keyFrom(flags.vllmKeyFile, 'BENCH_VLLM_KEY');
  const qdrant = new Target({ name: 'direct', url: flags.directQdrant, headers: { 'api-key': qdrantKey } });
  const vllm = new Target({
    name: 'direct',
    url: flags.directVllm,
    headers: { authorization: `Bearer ${vllmKey}` },
  });
  const collection = `bench-${process.pid}`;
  try {
    await createCollection(edge, collection, plan);
    const measured = [
      ...(await measureVectors({ direct: qdrant, edge }, collection, plan)),
      await measureStreams({ direct: vllm, edge }, plan),
    ];
    const judged = measured.map(judge);
    process.stdout.write(`${render(judged, usage)}\n`);
    if (flags.json !== undefined) {
      await writeFile(
        flags.json,
        `${JSON.stringify({ at: new Date().toISOString(), site: site.site, goals: GOALS, plan, judged, measured, agent: usage }, null, 2)}\n`,
      );
    }
    if (!judged.every((each) => each.ok) || !judgeAgent(usage)) process.exitCode = EXIT.objectiveMissed;
  } finally {
    await removeCollection(edge, collection);
    await Promise.all([edge.close(), qdrant.close(), vllm.close()]);
  }
}

async function idleAgent(flags: Flags): Promise<Usage> {
  const pid = flags.agentPid === undefined ? await findAgent() : number('--agent-pid', flags.agentPid);
  if (pid === null) {
    throw new UsageError('no single failover-agent runs in this network', {
      next: ["run this in the network of an active site's server, or name the process: --agent-pid"],
    });
  }
  const seconds = number('--idle-seconds', flags.idleSeconds);
  process.stderr.write(`watching the idle agent (process ${pid}) for ${seconds} s\n`);
  return usageOf(pid, seconds);
}

async function keyFrom(file: string | undefined, variable: string): Promise<string> {
  const key = file === undefined ? process.env[variable] : (await readFile(file, 'utf8')).trim();
  if (key === undefined || key === '')
    throw new UsageError(`a key is missing: name its file, or set ${variable}`);
  return key;
}

export function render(judged: readonly Judged[], usage: Usage): string {
  const ms = (value: number): string => `${value.toFixed(2)} ms`;
  return [
    table([
      ['', 'direct', 'edge', 'share', 'direct p50 / p99', 'edge p50 / p99', 'added at p50', 'goal'],
      ...judged.map((each) => [
        each.what,
        `${each.direct.perSecond.toFixed(0)} ${each.unit}`,
        `${each.edge.perSecond.toFixed(0)} ${each.unit}`,
        `${each.share.toFixed(2)} ×`,
        `${ms(each.direct.p50Ms)} / ${ms(each.direct.p99Ms)}`,
        `${ms(each.edge.p50Ms)} / ${ms(each.edge.p99Ms)}`,
        ms(each.addedMs),
        each.ok ? 'met' : 'MISSED',
      ]),
    ]),
    '',
    `agent when idle: ${usage.rssMiB.toFixed(0)} MiB, ${(usage.cpuShare * 100).toFixed(2)} % of a core over ${usage.seconds.toFixed(0)} s: ${judgeAgent(usage) ? 'met' : 'MISSED'}`,
    `goals: ≥ ${GOALS.throughputShare} × the direct throughput, ≤ ${GOALS.addedMs} ms added at p50; agent < ${GOALS.agentMiB} MiB and ≤ ${GOALS.agentCpuShare * 100} % of a core`,
  ].join('\n');
}

if (require.main === module) {
  program.parseAsync().then(
    () => undefined,
    (error: unknown) => {
      process.exitCode = report(error);
    },
  );
}
