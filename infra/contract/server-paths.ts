/** Folders of a server that outlive it: on AWS they lie on the data volume. */
export const AGENT_STATE_DIRECTORY = '/var/lib/failover-agent';
export const QDRANT_DIRECTORY = '/var/lib/failover-qdrant';

/** Of the agent, under /run: what it asks of root's units is a file in it, by its name alone. */
export const AGENT_REQUESTS_DIRECTORY = '/run/failover-agent';
export const ENGINE_RESTART_REQUEST = 'restart-engine';
