/** What a server probes of itself: its engine, its Qdrant and its edge. */
import { EDGE_PORT } from '../../../infra/contract/agent-api';
import type { SiteAgentSpec } from '../../../infra/contract/site-spec';
import type { RecordEvent, SiteClock } from '../ports';
import type { QdrantClient } from '../qdrant/client';
import type { EngineRestart } from '../recovery/engine-restart';
import { Canary, type CanaryOptions } from './canary';
import { EdgeProbe } from './edge-probe';
import { InferenceProbe } from './inference-probe';
import type { ProbeResult } from './verdict';
import { VectorsProbe } from './vectors-probe';

export interface CanariesOptions {
  readonly spec: SiteAgentSpec;
  readonly vllmKey: string;
  readonly clock: SiteClock;
  readonly qdrant: QdrantClient;
  readonly isApplying: () => boolean;
  readonly engineRestart: EngineRestart;
  readonly record: RecordEvent;
  /** In place of the edge on this server's port 443. */
  readonly probeEdge?: () => Promise<ProbeResult>;
}

/** The three probes of a server, and the means to ask its engine for its version. */
export function canaries(options: CanariesOptions) {
  const { spec, clock, qdrant, isApplying, engineRestart, record } = options;
  const { canary } = spec;
  const timeoutMs = canary.timeoutSeconds * 1000;
  const settleMs = Math.min(1_000, timeoutMs / 2);
  const inferenceProbe = new InferenceProbe({
    port: spec.inference.port,
    model: spec.inference.modelName,
    apiKey: options.vllmKey,
    timeoutMs,
    settleMs,
  });
  const vectorsProbe = new VectorsProbe({ qdrant, timeoutMs, isApplying });
  const edgeProbe = new EdgeProbe({
    siteHost: spec.siteHost,
    port: EDGE_PORT,
    timeoutMs,
    ...(spec.caCertificate === undefined ? {} : { caCertificate: spec.caCertificate }),
  });
  const build = (
    name: string,
    maxProbeMs: number,
    probe: () => ReturnType<VectorsProbe['probe']>,
    onProbe: CanaryOptions['onProbe'],
  ): Canary =>
    new Canary({
      name,
      intervalMs: canary.intervalSeconds * 1000,
      maxProbeMs,
      rules: canary,
      clock,
      probe,
      ...(onProbe === undefined ? {} : { onProbe }),
      onChange: (health, before, detail) => {
        if (health === 'failing') record('canary-failing', detail);
        if (health === 'healthy' && before === 'failing') record('canary-recovered', detail);
      },
    });
  return {
    inferenceProbe,
    // One missed deadline, then two readings of the metrics.
    inference: build(
      'inference',
      timeoutMs + settleMs + 2_000,
      () => inferenceProbe.probe(),
      (result, health, before) => engineRestart.onProbe(result, health, before),
    ),
    vectors: build('vectors', 2 * timeoutMs, () => vectorsProbe.probe(), undefined),
    edge: build('edge', timeoutMs, options.probeEdge ?? (() => edgeProbe.probe()), undefined),
  };
}
