/** What differs between the servers of one site: who it is, who the others are, and where it listens. */
import type { SiteEntry } from '../config/parse';
import { AgentServers, OtherServers, VectorsCluster } from '../contract/site-spec';
import { CLUSTER_PORT } from './names';
import type { SiteSections } from './site';

export interface SiteServer {
  readonly name: string;
  /** By which clients, the peer and the site's other servers reach it. */
  readonly address: string;
}

/** The configuration's servers with the addresses that `sites` gives them, in the same order. */
export function siteServers(own: SiteEntry, names: readonly string[]): SiteServer[] {
  return names.map((name, index) => ({ name, address: own.addresses[index] ?? '' }));
}

/** The site's sections as they are on one of its servers; a site's only server has them as they are. */
export function sectionsOn(
  sections: SiteSections,
  servers: readonly SiteServer[],
  server: SiteServer,
): SiteSections {
  const [founder] = servers;
  if (founder === undefined || servers.length === 1) return sections;
  const others = OtherServers.parse(servers.filter(({ name }) => name !== server.name));
  const cluster = VectorsCluster.parse({
    address: server.address,
    founder: founder.address,
    port: CLUSTER_PORT,
    // Every server has every shard: any of them may be lost, publish, or be restored to.
    replicas: servers.length,
  });
  const agentServers = AgentServers.parse({
    own: server.name,
    founder: server.name === founder.name,
    replicas: servers.length,
    others,
  });
  return {
    ...sections,
    vectors: { ...sections.vectors, cluster },
    agent: { ...sections.agent, servers: agentServers },
    edge: { ...sections.edge, others },
    ...(sections.dns === undefined ? {} : { dns: { ...sections.dns, listen: [server.address] } }),
  };
}
