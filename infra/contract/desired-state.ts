/**
 * What the servers of a site should be and what they are, as objects of the site's deploy bucket. Nobody logs in to these
 * servers: the deployment writes one small pointer a server, and the server reports what it made of it.
 */
import { z } from 'zod';
import { CREDENTIALS } from './site-spec';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'a SHA-256 in lower-case hex');
const serverName = z.string().regex(/^[a-z0-9][a-z0-9-]*$/, 'a server name such as uk-primary-1');

export const bundleKey = (hash: string): string => `bundles/${hash}.js`;
export const specKey = (hash: string): string => `specs/${hash}.json`;
export const desiredKey = (server: string): string => `desired/${server}.json`;
export const statusKey = (server: string): string => `status/${server}.json`;

/** An object under its own hash: the key never means two contents. */
const pointerTo = (keyOf: (hash: string) => string, what: string) =>
  z
    .strictObject({ key: z.string(), sha256 })
    .refine((object) => object.key === keyOf(object.sha256), { error: what, path: ['key'] });

export const DesiredState = z.strictObject({
  schemaVersion: z.literal(1),
  server: serverName,
  bundle: pointerTo(bundleKey, 'bundles/<its sha256>.js'),
  spec: pointerTo(specKey, 'specs/<its sha256>.json'),
  secrets: z.strictObject({
    region: z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/, 'a region such as eu-west-2'),
    /** ARN in Secrets Manager of each credential. */
    names: z.partialRecord(z.enum(CREDENTIALS), z.string().startsWith('arn:')),
  }),
});

export const AppliedState = z.strictObject({
  schemaVersion: z.literal(1),
  server: serverName,
  /** What is in force: of the last apply that worked. Null before the first. */
  bundle: sha256.nullable(),
  spec: sha256.nullable(),
  /** Version ids in Secrets Manager, current first; never values. */
  secretVersions: z.partialRecord(z.enum(CREDENTIALS), z.array(z.string())),
  appliedAt: z.iso.datetime().nullable(),
  /** When the server last looked. */
  checkedAt: z.iso.datetime(),
  /** What it was told to be at `checkedAt`; null where it could not read that. */
  wanted: z.strictObject({ bundle: sha256, spec: sha256 }).nullable(),
  /** False: `wanted` is not in force, and `error` says why. */
  ok: z.boolean(),
  error: z.string().nullable(),
});

export type DesiredState = z.output<typeof DesiredState>;
export type AppliedState = z.output<typeof AppliedState>;
