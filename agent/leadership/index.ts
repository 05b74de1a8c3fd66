/** Which of a site's servers leads it. */
export { leaderConfig, leaderRequestTimeoutMs } from './config';
export { LeaderCopyFile } from './copy';
export { SiteShrunkError } from './errors';
export { Leadership } from './leadership';
export type { LeaderConfig } from './model';
export { S3LeaderStore, type LeaderStore } from './store';
