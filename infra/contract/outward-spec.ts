/** What a site's agent calls outside: the DNS record that it moves and the places that it alerts. Both may be absent. */
import { z } from 'zod';

const seconds = z.number().positive();

/** Keys travel in these requests: never in the clear, but to this machine itself. */
export const isSafeUrl = (value: string): boolean =>
  /^https:\/\//.test(value) || /^http:\/\/(127\.0\.0\.1|\[::1\]|localhost)[:/]/.test(value);
const safeUrl = z.url().refine(isSafeUrl, 'an https:// address');

/** The service's name is a plain record; the holder of the lease points it at itself. Its token is `dns-token`. */
export const DnsRecordSpec = z.strictObject({
  provider: z.literal('cloudflare'),
  apiUrl: safeUrl.default('https://api.cloudflare.com/client/v4'),
  zoneId: z.string().regex(/^[0-9a-f]{32}$/, 'a zone id: 32 hex digits'),
  /** The service's name, such as api.example.com. */
  name: z.string().min(1),
  /** This site's own; as many as there are records of the name. */
  addresses: z.array(z.ipv4()).min(1),
  /** While everything is as it should be. */
  checkIntervalSeconds: seconds.default(30),
  requestTimeoutSeconds: seconds.default(5),
});

/** Each kind at most once, since each has one credential. */
const AlertTarget = z.discriminatedUnion('kind', [
  /** Events API v2; the credential `alert-pagerduty-key` is an integration's routing key. */
  z.strictObject({
    kind: z.literal('pagerduty'),
    /** Accounts in the EU: https://events.eu.pagerduty.com/v2/enqueue */
    url: safeUrl.default('https://events.pagerduty.com/v2/enqueue'),
  }),
  /** Alert API v2; the credential `alert-opsgenie-key` is an API integration's key. */
  z.strictObject({
    kind: z.literal('opsgenie'),
    /** Accounts in the EU: https://api.eu.opsgenie.com/v2/alerts */
    url: safeUrl.default('https://api.opsgenie.com/v2/alerts'),
  }),
  /** Incoming webhook, whose address is the credential `alert-slack-webhook`. */
  z.strictObject({ kind: z.literal('slack') }),
  /** POST of our own JSON to the address that is the credential `alert-webhook`. */
  z.strictObject({ kind: z.literal('generic') }),
]);

export const AlertsSpec = z.strictObject({
  targets: z
    .array(AlertTarget)
    .min(1)
    .refine((targets) => new Set(targets.map(({ kind }) => kind)).size === targets.length, 'each kind once'),
  /** A standby that could not take over for so long, or a holder that nobody could take over from, is told of. */
  unprotectedAfterSeconds: seconds.default(300),
  requestTimeoutSeconds: seconds.default(10),
});

export type DnsRecordSpec = z.output<typeof DnsRecordSpec>;
export type AlertsSpec = z.output<typeof AlertsSpec>;
export type AlertTargetSpec = AlertsSpec['targets'][number];
export type AlertTargetKind = AlertTargetSpec['kind'];
