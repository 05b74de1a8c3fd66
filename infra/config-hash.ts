/**
 * One hash over everything that must be the same on both sites. A site whose hash differs from what its peer
 * published is not promotable: it would answer differently.
 */
import { createHash } from 'node:crypto';
import type { EdgeSpec, InferenceSpec, SiteAgentSpec, TimersSpec, VectorsSpec } from './contract/site-spec';

export interface HashedSections {
  readonly vectors: VectorsSpec;
  readonly inference: InferenceSpec;
  readonly agent: SiteAgentSpec;
  readonly edge: EdgeSpec;
  readonly timers: TimersSpec;
}

/** JSON with the keys of every object in order, so that equal values have equal text. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

function sharedPart({ vectors, inference, agent, edge, timers }: HashedSections): object {
  // What is left out is what makes a site this site and not the other; parity holds the hash itself.
  const {
    site: _site,
    siteHost: _host,
    peer: _peer,
    servers: _servers,
    initialHolder: _first,
    parity: _parity,
    store: { credentials: _credentials, ...store },
    dnsRecord,
    // Whom a site tells changes nothing of what it answers.
    alerts: _alerts,
    ...sharedAgent
  } = agent;
  // Versions of the weights have a rule of their own: while they change over, the sites differ and may still take over.
  const sharedInference = { ...inference, model: inference.model.name };
  const { site: _edgeSite, siteHost: _edgeHost, peer: _edgePeer, others: _others, tls, ...sharedEdge } = edge;
  // How many servers a site has is its own affair.
  const { cluster: _cluster, ...sharedVectors } = vectors;
  const sharedTls = tls.mode === 'acme' ? { ...tls, names: [] } : tls;
  const sharedRecord = dnsRecord === undefined ? {} : { dnsRecord: { ...dnsRecord, addresses: [] } };
  return {
    vectors: sharedVectors,
    inference: sharedInference,
    timers,
    agent: { ...sharedAgent, store, ...sharedRecord },
    edge: { ...sharedEdge, tls: sharedTls },
  };
}

/** SHA-256 in lower-case hex. */
export function configHash(sections: HashedSections): string {
  return createHash('sha256')
    .update(canonicalJson(sharedPart(sections)))
    .digest('hex');
}
