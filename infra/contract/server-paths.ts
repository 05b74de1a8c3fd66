/** Folders of a server that outlive it: on AWS they lie on the data volume. */
export const AGENT_STATE_DIRECTORY = '/var/lib/failover-agent';
export const QDRANT_DIRECTORY = '/var/lib/failover-qdrant';
