/**
 * What an edge does with the site's other servers: engines beside it answer where its own cannot, and what only the
 * site's leader may answer goes to the leader. A request that has been passed on within the site is never passed on again.
 */
import { isIPv6 } from 'node:net';
import { HOP_HEADER, VIA_HEADER } from '../../../infra/contract/agent-api';
import type { EdgeSpec } from '../../../infra/contract/site-spec';
import type { EdgePlaces } from './haproxy-config';

/** Lines of the frontend, in the order in which they have to stand; all empty on a site's only server. */
export interface OtherServersRules {
  readonly acls: readonly string[];
  /** Before what the local agent answers. */
  readonly control: readonly string[];
  readonly inference: readonly string[];
  readonly reads: readonly string[];
  readonly writes: readonly string[];
  readonly backends: readonly string[];
}

const NONE: OtherServersRules = { acls: [], control: [], inference: [], reads: [], writes: [], backends: [] };
/** By TLS, and a server that is gone must be told from one that is slow. */
const CHECK = 'inter 500ms fastinter 250ms fall 2 rise 1';

export function otherServersRules(spec: EdgeSpec, places: EdgePlaces): OtherServersRules {
  const { others } = spec;
  if (others === undefined) return NONE;
  const names = others.map(({ name }) => name);
  const upIn = (acl: string, backend: string): string[] =>
    names.map((name) => `    acl ${acl} srv_is_up(${backend}/${name})`);
  return {
    acls: [
      '    acl for_site path_beg /server/',
      '    acl for_node path_beg /server/qdrant/',
      `    acl from_site src ${others.map(({ address }) => address).join(' ')}`,
      `    acl hopped req.hdr(${HOP_HEADER}) -m found`,
      '    acl for_leader path /status /promotable',
      '    acl for_leader path_beg /failover/ /peer/',
      // Only the leader has a gateway.
      '    acl leading_here srv_is_up(gateway/gateway)',
      ...upIn('leader_beside', 'site_leader'),
      ...upIn('inference_beside', 'site_inference'),
      ...upIn('vectors_beside', 'site_vectors'),
    ],
    control: [
      '    use_backend site_node if for_node',
      '    use_backend agent if for_site',
      '    use_backend site_leader if for_leader !leading_here !hopped leader_beside',
    ],
    inference: ['    use_backend site_inference if for_inference !hopped inference_beside'],
    reads: [
      '    use_backend site_vectors if for_vectors METH_GET get_read !hopped vectors_beside',
      '    use_backend site_vectors if for_vectors METH_POST post_read !hopped vectors_beside',
    ],
    writes: ['    use_backend site_leader if for_vectors !leading_here !hopped leader_beside'],
    backends: [
      beside(spec, places, 'site_inference', '/server/inference'),
      beside(spec, places, 'site_vectors', '/server/vectors'),
      // A write is never sent twice: whether one without an answer was carried out is for the client to find out.
      `${beside(spec, places, 'site_leader', '/server/leading')}\n    retries 0`,
      // The leader's agent asks each node for its own snapshots, with Qdrant's own key.
      `backend site_node
    http-request replace-path /server/qdrant(/.*) \\1
    server qdrant 127.0.0.1:${spec.vectorsPort}`,
    ],
  };
}

function beside(spec: EdgeSpec, places: EdgePlaces, backend: string, check: string): string {
  const servers = (spec.others ?? []).map(({ name, address }) => {
    const host = isIPv6(address) ? `[${address}]` : address;
    return (
      `    server ${name} ${host}:${places.peerPort} ssl verify required ca-file ${places.caFile} ` +
      `sni str(${spec.siteHost}) verifyhost ${spec.siteHost} check check-sni ${spec.siteHost} ${CHECK} ` +
      'on-marked-down shutdown-sessions'
    );
  });
  return `backend ${backend}
    option httpchk
    http-check send meth GET uri ${check} hdr host ${spec.siteHost}
    http-check expect status 200
    http-request set-header ${HOP_HEADER} 1
    # Whoever answers must not pass it on to the other site either.
    http-request set-header ${VIA_HEADER} ${spec.site} unless { req.hdr(${VIA_HEADER}) -m found }
    http-request set-header host ${spec.siteHost}
${servers.join('\n')}`;
}
