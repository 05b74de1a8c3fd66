import { isIPv6 } from 'node:net';
import { AGENT_PORT, GATEWAY_PORT, SITE_HEADER, VIA_HEADER } from '../../../infra/contract/agent-api';
import type { EdgeSpec } from '../../../infra/contract/site-spec';
import { otherServersRules } from './other-servers';
import { AMBIGUOUS_PATH_REGEX, readsRegex, VECTOR_PATHS_REGEX } from './paths';

/** Where things are; production's values unless said otherwise. */
export interface EdgePlaces {
  /** `address:port` of each public listener. */
  readonly listen: readonly string[];
  readonly agentPort: number;
  readonly gatewayPort: number;
  readonly peerPort: number;
  readonly caFile: string;
  /** Where the running HAProxy takes new keys; its user's and root's alone. */
  readonly adminSocket: string;
}

export const ADMIN_SOCKET = '/run/failover-edge/admin.sock';

export function edgePlaces(caFile: string, hasIpv6: boolean): EdgePlaces {
  return {
    listen: hasIpv6 ? ['0.0.0.0:443', '[::]:443'] : ['0.0.0.0:443'],
    agentPort: AGENT_PORT,
    gatewayPort: GATEWAY_PORT,
    peerPort: 443,
    caFile,
    adminSocket: ADMIN_SOCKET,
  };
}

/**
 * HAProxy expands the variable itself; keys are only ever in the files that it names. Not systemd's own credentials folder,
 * whose files stay what they were at the start: a reload has to see what changed.
 */
export const KEYS_VARIABLE = 'EDGE_KEYS_DIRECTORY';
const KEYS = `\${${KEYS_VARIABLE}}`;
const CHECK = 'inter 500ms fastinter 250ms fall 1 rise 1';

export function renderHaproxyConfig(spec: EdgeSpec, places: EdgePlaces): string {
  return [
    '# Written by failover-agent apply; changes made here are overwritten.',
    globalSection(spec, places),
    defaultsSection(spec),
    frontendSection(spec, places),
    agentBackend(places),
    inferenceBackends(spec, places),
    vectorBackends(spec, places),
    peerBackend(spec, places),
    ...otherServersRules(spec, places).backends,
    unavailableBackend(),
  ].join('\n\n');
}

function globalSection(spec: EdgeSpec, places: EdgePlaces): string {
  return `global
    log stdout format raw daemon info
    maxconn ${spec.maxConnections}
    stats socket ${places.adminSocket} mode 600 level admin
    # Twice the default: an upsert of embeddings is some hundred kilobytes, and each buffer of it is a turn.
    tune.bufsize 32768
    ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets
    ssl-default-bind-ciphers ECDHE+AESGCM:ECDHE+CHACHA20
    ssl-default-server-options ssl-min-ver TLSv1.2
    # New keys come by the socket. A reload is for the rest; what is under way then has so long to finish.
    hard-stop-after ${Math.min(Math.ceil(spec.generationTimeoutSeconds), 120)}s`;
}

/** Seconds. Between a site's last answer and the other's first there is no more of a switch in order. */
const RETRY_AFTER = ' hdr retry-after 1';

function defaultsSection(spec: EdgeSpec): string {
  const errors: readonly (readonly [status: number, code: string, message: string])[] = [
    [400, 'bad-request', 'The request is not valid HTTP.'],
    [408, 'request-timeout', 'The request did not arrive in time.'],
    [500, 'edge-error', 'The edge could not process the request.'],
    [502, 'bad-gateway', 'The service behind the edge gave no valid answer.'],
    [503, 'unavailable', 'Nothing can answer this now; try again shortly.'],
    [504, 'gateway-timeout', 'The service behind the edge did not answer in time.'],
  ];
  const seconds = Math.ceil(spec.generationTimeoutSeconds);
  return `defaults
    mode http
    log global
    option httplog
    option dontlognull
    option dontlog-normal
    option http-no-delay
    option redispatch
    retries 1
    timeout connect 2s
    timeout queue 5s
    timeout check 2s
    timeout http-request 15s
    timeout http-keep-alive 60s
    # A generation may take this long, with or without bytes on the way.
    timeout client ${seconds}s
    timeout server ${seconds}s
${errors
  .map(([status, code, message]) => {
    const retry = status === 503 ? RETRY_AFTER : '';
    return `    http-error status ${status} content-type application/json string '${errorBody(code, message)}'${retry}`;
  })
  .join('\n')}`;
}

const errorBody = (code: string, message: string): string => JSON.stringify({ error: { code, message } });

/** A complete answer given by the edge itself. */
function answer(status: number, code: string, message: string, headers = ''): string {
  return `return status ${status} content-type application/json${headers} string '${errorBody(code, message)}'`;
}

function frontendSection(spec: EdgeSpec, places: EdgePlaces): string {
  const binds = places.listen.map(
    (address) =>
      `    bind ${address}${address.startsWith('[') ? ' v6only' : ''} ssl crt "${KEYS}/edge-tls.pem" alpn http/1.1`,
  );
  // No HTTP/2: HAProxy 2.6 cannot tell such a client to go, and one that stays on a fenced site is what must not be.
  const beside = otherServersRules(spec, places);
  const lines = (of: readonly string[]): string => of.map((line) => `\n${line}`).join('');
  // What another server of this site passes on has come from the peer.
  const siblings = (spec.others ?? []).map(({ address }) => address);
  const forSite = spec.others === undefined ? '' : ' or for_site';
  const keys = `-m str -f "${KEYS}/edge-client-keys"`;
  return `frontend edge
${binds.join('\n')}
    option forwardfor

    acl ambiguous path -m reg -i ${quote(AMBIGUOUS_PATH_REGEX)}
    acl for_readiness path /readyz
    acl for_operator path /promotable /status /metrics
    acl for_operator path_beg /failover/
    acl for_peer path_beg /peer/
    acl from_peer src ${[...spec.peer.addresses, ...siblings].join(' ')}
    acl for_inference path_beg /v1/
    acl for_vectors path -m reg ${quote(VECTOR_PATHS_REGEX)}
    acl for_clients path_beg /v1/
    acl for_clients path -m reg ${quote(VECTOR_PATHS_REGEX)}
    acl get_read path -m reg ${quote(readsRegex('GET'))}
    acl post_read path -m reg ${quote(readsRegex('POST'))}
    acl keyed req.fhdr(authorization) ${keys}
    acl keyed req.fhdr(api-key) ${keys}
    acl passed_on req.hdr(${VIA_HEADER}) -m found
    # What the local agent says about this site, asked twice a second.
    # Not nbsrv, which is 0 in a worker that was told to finish: requests just accepted would get 503 at each reload.
    acl inference_here srv_is_up(inference/engine)
    acl vectors_here srv_is_up(vectors/qdrant)
${peerNames(spec)
  .map((name) => `    acl peer_there srv_is_up(peer/${name})`)
  .join('\n')}
    acl engine_there srv_is_up(inference_last_resort/engine)${lines(beside.acls)}

    http-after-response set-header ${SITE_HEADER} ${spec.site} unless { res.hdr(${SITE_HEADER}) -m found }
    http-after-response set-header strict-transport-security "max-age=31536000"
    # Clients that keep connections to a site which does not serve must come back by name.
    http-after-response set-header connection close unless { srv_is_up(vectors/qdrant) }

    http-request ${answer(404, 'not-found', 'There is nothing here.')} if ambiguous
    http-request ${answer(404, 'not-found', 'There is nothing here.')} if for_peer !from_peer${
      spec.others === undefined
        ? ''
        : `\n    http-request ${answer(404, 'not-found', 'There is nothing here.')} if for_site !from_site`
    }
    http-request ${answer(404, 'not-found', 'There is nothing here.')} unless for_readiness or for_operator or for_peer or for_clients${forSite}
    http-request ${answer(401, 'unauthorized', 'Give the key as "Authorization: Bearer KEY" or "api-key: KEY".', ' hdr www-authenticate Bearer')} if for_clients !keyed
${lines(beside.control)}
    use_backend agent if for_readiness or for_operator or for_peer
    # A dead engine is seen here at once, long before the agent's verdict.
    use_backend inference if for_inference inference_here engine_there${lines(beside.inference)}
    use_backend peer if for_inference !passed_on peer_there
    # Nobody serves officially: an engine that runs is better than none, and answers the same.
    use_backend inference_last_resort if for_inference engine_there
    use_backend unavailable if for_inference
    use_backend vectors if for_vectors METH_GET get_read vectors_here
    use_backend vectors if for_vectors METH_POST post_read vectors_here${lines(beside.reads)}
    use_backend peer if for_vectors METH_GET get_read !passed_on peer_there
    use_backend peer if for_vectors METH_POST post_read !passed_on peer_there
    # Never data of a site that does not hold the lease: it may be old, or half restored.
    use_backend unavailable if for_vectors METH_GET get_read
    use_backend unavailable if for_vectors METH_POST post_read${lines(beside.writes)}
    use_backend gateway if for_vectors
    default_backend unavailable`;
}

function agentBackend(places: EdgePlaces): string {
  return `backend agent
    server agent 127.0.0.1:${places.agentPort}`;
}

const lookup = (name: string): string => `%[str(${name}),map_str(${KEYS}/edge-upstream.map)]`;

/** The client's key stays at the edge; the engine gets its own. */
const inferenceKey = `    http-request del-header api-key
    http-request del-header ${VIA_HEADER}
    http-request set-header authorization "Bearer ${lookup('vllm')}"`;
const vectorsKey = `    http-request del-header authorization
    http-request del-header ${VIA_HEADER}
    http-request set-header api-key "${lookup('qdrant')}"`;

const agentCheck = (path: string): string => `    option httpchk
    http-check send meth GET uri ${path} hdr host localhost
    http-check expect status 200`;

function inferenceBackends(spec: EdgeSpec, places: EdgePlaces): string {
  return `backend inference
${agentCheck('/edge/inference')}
${inferenceKey}
    server engine 127.0.0.1:${spec.inferencePort} check port ${places.agentPort} ${CHECK}

backend inference_last_resort
    option httpchk
    http-check send meth GET uri /health hdr host localhost
    http-check expect status 200
${inferenceKey}
    server engine 127.0.0.1:${spec.inferencePort} check inter 500ms fastinter 250ms fall 2 rise 1`;
}

function vectorBackends(spec: EdgeSpec, places: EdgePlaces): string {
  const refused = answer(
    503,
    'writes-unavailable',
    'The write gateway of this site is down; try again shortly.',
    RETRY_AFTER,
  );
  return `backend vectors
${agentCheck('/edge/vectors')}
${vectorsKey}
    server qdrant 127.0.0.1:${spec.vectorsPort} check port ${places.agentPort} ${CHECK} on-marked-down shutdown-sessions

backend gateway
${vectorsKey}
    http-request ${refused} unless { srv_is_up(gateway/gateway) }
    # Never sent twice: whether a write that got no answer was carried out is for the client to find out.
    retries 0
    server gateway 127.0.0.1:${places.gatewayPort} check ${CHECK} on-marked-down shutdown-sessions`;
}

const peerNames = (spec: EdgeSpec): string[] => spec.peer.addresses.map((_, index) => `peer${index + 1}`);

function peerBackend(spec: EdgeSpec, places: EdgePlaces): string {
  const names = peerNames(spec);
  const servers = spec.peer.addresses.map((address, index) => {
    const host = isIPv6(address) ? `[${address}]` : address;
    return (
      `    server ${names[index]} ${host}:${places.peerPort} ssl verify required ca-file ${places.caFile} ` +
      `sni str(${spec.peer.host}) verifyhost ${spec.peer.host} check check-sni ${spec.peer.host} inter 1s fall 3 rise 1 ` +
      'on-marked-down shutdown-sessions'
    );
  });
  return `backend peer
    option httpchk
    http-check send meth GET uri /readyz hdr host ${spec.peer.host}
    # Ready or not, an edge that answers can decide for itself.
    http-check expect rstatus ^(200|503)$
    http-request set-header ${VIA_HEADER} ${spec.site}
    http-request set-header host ${spec.peer.host}
${servers.join('\n')}`;
}

function unavailableBackend(): string {
  const body = answer(
    503,
    'no-site-serves',
    'Neither this site nor its peer can answer now; try again shortly.',
    RETRY_AFTER,
  );
  return `backend unavailable
    http-request ${body}
`;
}

/** HAProxy's double quotes expand `$`; in single quotes everything is literal. */
function quote(regex: string): string {
  return `'${regex}'`;
}
