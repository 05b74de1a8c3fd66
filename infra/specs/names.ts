/** Fixed names that stacks, sites and the witness share; nothing is gained by making them configurable. */
export const STORE_PORT = 7070;
export const STORE_REGION = 'us-east-1';
export const LEASE_BUCKET = 'failover-lease';
export const SNAPSHOT_BUCKET = 'failover-snapshots';
export const STORE_ROOT_ACCESS_KEY = 'failover-root';
export const TSIG_NAME = 'failover-acme';
export const HTTPS_PORT = 443;
export const DNS_PORT = 53;
/** Between the nodes of a site's Qdrant. */
export const CLUSTER_PORT = 6335;

export const storeEndpoint = (witnessHost: string): string => `https://${witnessHost}:${STORE_PORT}`;
/** S3's own address in a region; requests to it never leave that region's data plane. */
export const s3Endpoint = (region: string): string => `https://s3.${region}.amazonaws.com`;
export const storeAccessKey = (site: string): string => `site-${site}`;
