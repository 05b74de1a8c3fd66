/**
 * Field types of the configuration. The message of every check says what is allowed, because it is printed after
 * the words "allowed:".
 */
import { isIP } from 'node:net';
import { z } from 'zod';

const INTEGER_LIMIT = 1_000_000_000;

export function wholeNumber(unit: string, minimum: number, maximum = INTEGER_LIMIT) {
  const range =
    maximum === INTEGER_LIMIT
      ? `of ${unit}, at least ${minimum}`
      : `of ${unit} from ${minimum} to ${maximum}`;
  const error = `a whole number ${range}`;
  return z.number({ error }).int({ error }).min(minimum, { error }).max(maximum, { error });
}

export const seconds = (minimum: number, maximum?: number) => wholeNumber('seconds', minimum, maximum);

/** A string where the empty one stands for "not set": Pulumi.yaml cannot declare a key without a value. */
export function textOrUnset(pattern: RegExp, allowed: string) {
  const error = `${allowed}, or "" for not set`;
  return z.string({ error }).refine((value) => value === '' || pattern.test(value), { error });
}

export function oneOf<const Values extends readonly [string, ...string[]]>(values: Values) {
  return z.enum(values, { error: `one of ${values.join(', ')}` });
}

const HOST_NAME = /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*$/;
const SITE_NAME = /^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$/;

export const hostNameOrUnset = () =>
  textOrUnset(HOST_NAME, 'a full DNS name in lower case such as uk.example.com');
export const siteNameOrUnset = () =>
  textOrUnset(SITE_NAME, 'lower-case letters, digits and hyphens, at most 32, such as uk-primary');
export const regionOrUnset = () => textOrUnset(/^[a-z]{2}(-[a-z]+)+-\d$/, 'an AWS region such as eu-west-2');
export const cloudflareIdOrUnset = () =>
  textOrUnset(/^[0-9a-f]{32}$/, 'an id of Cloudflare: 32 lower-case hex digits');
export const sha256OrUnset = () => textOrUnset(/^[0-9a-f]{64}$/, 'a SHA-256 as 64 lower-case hex digits');
export const fileOrUnset = () => textOrUnset(/^\S.*$/, "a file's path, relative to the project's folder");
export const serverPathOrUnset = () => textOrUnset(/^\/\S+$/, 'an absolute path on the server');
export const memoryOrUnset = () => textOrUnset(/^\d+[KMGT]$/, 'a size such as 64G');
export const artifactOrUnset = () =>
  textOrUnset(/^(\/\S+|https:\/\/\S+)$/, 'an absolute path on the server or an https:// address');

const ipError = 'an IPv4 or IPv6 address';
export const ipAddress = z
  .string({ error: ipError })
  .refine((value) => isIP(value) !== 0, { error: ipError });
export const ipAddresses = z.array(ipAddress, { error: 'a list of IP addresses' });

function isCidr(value: string): boolean {
  const [address, bits, ...rest] = value.split('/');
  if (address === undefined || bits === undefined || rest.length > 0 || !/^\d{1,3}$/.test(bits)) return false;
  const family = isIP(address);
  return family !== 0 && Number(bits) <= (family === 4 ? 32 : 128);
}
const cidrError = 'a network such as 198.51.100.0/24 or 2001:db8::/32';
export const cidrs = z.array(z.string({ error: cidrError }).refine(isCidr, { error: cidrError }), {
  error: 'a list of networks such as 198.51.100.0/24',
});

const HOST_KEY = /^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) (AAAA[A-Za-z0-9+/]+={0,2})( .*)?$/;

/** The blob repeats the key's type: a line cut short or pasted from the wrong file fails here, not at the server. */
function isHostKey(value: string): boolean {
  const match = HOST_KEY.exec(value);
  if (match?.[1] === undefined || match[3] === undefined) return false;
  const blob = Buffer.from(match[3], 'base64');
  if (blob.length < 4) return false;
  const typeLength = blob.readUInt32BE(0);
  const minimumLength = 4 + typeLength + 4 + 32;
  return blob.subarray(4, 4 + typeLength).toString('ascii') === match[1] && blob.length >= minimumLength;
}

const serverNameError = 'lower-case letters, digits and hyphens, such as uk-1';
const serverAddressError = 'an IP address or a host name by which SSH reaches the server';
const hostKeyError =
  'the whole public host key line, such as "ssh-ed25519 AAAA…" (ssh-keyscan -t ed25519 ADDRESS, compared with the server\'s own /etc/ssh/ssh_host_ed25519_key.pub)';
const serverError = 'a server as {name, address, hostKey}';
export const server = z.strictObject(
  {
    name: z.string({ error: serverNameError }).regex(/^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$/, serverNameError),
    address: z
      .string({ error: serverAddressError })
      .regex(/^[0-9A-Za-z][0-9A-Za-z.:-]*$/, serverAddressError),
    hostKey: z.string({ error: hostKeyError }).refine(isHostKey, { error: hostKeyError }),
  },
  { error: serverError },
);

export const platform = () => oneOf(['dedicated', 'aws']);

const siteNameError = 'lower-case letters, digits and hyphens, at most 32, such as uk-primary';
const siteHostError = 'a full DNS name in lower case such as uk.example.com';
const siteAddressesError = 'at least one IP address';
export const site = z.strictObject(
  {
    site: z.string({ error: siteNameError }).regex(SITE_NAME, siteNameError),
    host: z.string({ error: siteHostError }).regex(HOST_NAME, siteHostError),
    addresses: z.array(ipAddress, { error: siteAddressesError }).min(1, siteAddressesError),
    platform: platform().default('dedicated'),
    region: regionOrUnset().default(''),
  },
  { error: 'a site as {site, host, addresses}, with platform and region if it is not on dedicated servers' },
);
