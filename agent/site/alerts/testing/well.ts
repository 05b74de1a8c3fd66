import type { AlertFacts } from '../conditions';

/** Of a site that holds the lease, with nothing to tell anybody. */
export const WELL: AlertFacts = {
  site: 'uk',
  state: 'active',
  holds: true,
  lease: { epoch: 3, holder: 'uk' },
  promotable: { promotable: false, reasons: [{ code: 'ALREADY_HOLDER', message: 'holds it' }] },
  canary: {
    inference: { health: 'healthy', detail: '' },
    vectors: { health: 'healthy', detail: '' },
    edge: { health: 'healthy', detail: '' },
  },
  engineRestarts: { inLastHour: 0, perHour: 2 },
  dataAgeSeconds: null,
  publishedAgeSeconds: 100,
  rpoSeconds: 3600,
  differences: [],
  unmergedWrites: 0,
  heartbeat: undefined,
  restoreTest: { verdict: null, ageSeconds: 0 },
  restoreTestIntervalHours: 24,
  drill: { last: null, ageSeconds: 0 },
  drillIntervalDays: 100,
  leaseAlerts: new Map(),
  dnsRecord: undefined,
  proposal: undefined,
  tookOver: null,
  unprotectedAfterSeconds: 300,
};
