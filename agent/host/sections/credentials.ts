import { createPrivateKey, X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { CREDENTIALS, type CredentialsSpec } from '../../../infra/contract/site-spec';
import { keyLines } from '../../shared/key-lines';
import { SpecInvalidError } from '../errors';
import { CREDENTIALS_DIRECTORY, credentialPath } from '../paths';
import type { SectionContext } from './context';

/** One key a line, so that a new key can be let in before the old one goes. */
const KEY_LISTS = new Set(['client-key', 'operator-key', 'peer-key']);
const MULTI_LINE = new Set(['tls-certificate', 'tls-private-key', 'store-accounts', ...KEY_LISTS]);

/** Files made from credentials in the shape that a program wants; they are credentials too. */
export const DERIVED = {
  edgeTls: 'edge-tls.pem',
  edgeClientKeys: 'edge-client-keys',
  edgeUpstreamKeys: 'edge-upstream.map',
  storeUsers: 'users.json',
} as const;

const StoreAccounts = z.array(
  z.strictObject({ access: z.string().min(1), secret: z.string().min(1), site: z.string().min(1) }),
);
export type StoreAccounts = z.output<typeof StoreAccounts>;

/** The message never quotes the content. */
export function parseStoreAccounts(text: string): StoreAccounts {
  let json: unknown = null;
  try {
    json = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  const parsed = StoreAccounts.safeParse(json);
  if (!parsed.success) {
    throw new SpecInvalidError(
      'the credential store-accounts should be JSON such as [{"access": "…", "secret": "…", "site": "…"}]',
    );
  }
  return parsed.data;
}

export async function applyCredentials({ converger, document }: SectionContext): Promise<void> {
  const credentials = document.credentials ?? {};
  const files = new Map<string, string>();
  for (const name of CREDENTIALS) {
    const value = credentials[name];
    if (value === undefined) continue;
    if (!MULTI_LINE.has(name) && /[\r\n]/.test(value)) {
      throw new SpecInvalidError(`the credential ${name} should be one line and holds a line break`);
    }
    if (KEY_LISTS.has(name)) checkKeyList(name, value);
    files.set(name, value);
  }
  for (const [name, value] of deriveFiles(credentials)) files.set(name, value);
  await converger.configDirectory();
  await converger.directory(CREDENTIALS_DIRECTORY, 0o700);
  for (const [name, value] of files) await converger.file(credentialPath(name), value, { mode: 0o600 });
  const mine = converger.journal.entries('credentials');
  for (const entry of mine) {
    if (entry.kind !== 'file' || files.has(entry.path.slice(CREDENTIALS_DIRECTORY.length + 1))) continue;
    await converger.absent(entry.path);
    await converger.journal.forget('credentials', entry);
  }
}

function deriveFiles(credentials: CredentialsSpec): Map<string, string> {
  const derived = new Map<string, string>();
  const certificate = credentials['tls-certificate'];
  const privateKey = credentials['tls-private-key'];
  if (certificate !== undefined && privateKey !== undefined) {
    derived.set(DERIVED.edgeTls, combinePem(certificate, privateKey));
  }
  const clientKey = credentials['client-key'];
  if (clientKey !== undefined) derived.set(DERIVED.edgeClientKeys, clientKeyList(clientKey));
  const upstream = [
    ...(credentials['qdrant-key'] === undefined ? [] : [`qdrant ${credentials['qdrant-key']}`]),
    ...(credentials['vllm-key'] === undefined ? [] : [`vllm ${credentials['vllm-key']}`]),
  ];
  if (upstream.length > 0) derived.set(DERIVED.edgeUpstreamKeys, `${upstream.join('\n')}\n`);
  const accounts = credentials['store-accounts'];
  if (accounts !== undefined) derived.set(DERIVED.storeUsers, storeUsers(parseStoreAccounts(accounts)));
  return derived;
}

function checkKeyList(name: string, value: string): void {
  const keys = keyLines(value);
  if (keys.length === 0 || keys.some((key) => /\s/.test(key) || key.startsWith('#'))) {
    throw new SpecInvalidError(`the credential ${name} should hold keys without blanks, one a line`);
  }
}

/** Each key as clients may give it. */
function clientKeyList(clientKey: string): string {
  return keyLines(clientKey)
    .map((key) => `${key}\nBearer ${key}\nbearer ${key}\n`)
    .join('');
}

/** Certificate chain, then key, as HAProxy reads them; refuses a key of another certificate. */
export function combinePem(certificate: string, privateKey: string): string {
  let matches: boolean;
  try {
    matches = new X509Certificate(certificate).checkPrivateKey(createPrivateKey(privateKey));
  } catch (error) {
    throw new SpecInvalidError(
      'tls-certificate should be a PEM certificate chain and tls-private-key an unencrypted PEM key',
      { cause: error },
    );
  }
  if (!matches) {
    throw new SpecInvalidError(
      'tls-private-key is not the key of tls-certificate: give a pair that belongs together',
    );
  }
  return `${certificate.trimEnd()}\n${privateKey.trimEnd()}\n`;
}

/** The account file of versitygw; read-only to it, so that accounts come from here alone. */
export function storeUsers(accounts: StoreAccounts): string {
  const accessAccounts = Object.fromEntries(
    accounts.map(({ access, secret }) => [
      access,
      { access, secret, role: 'user', userID: 0, groupID: 0, projectID: 0 },
    ]),
  );
  return `${JSON.stringify({ accessAccounts }, null, 1)}\n`;
}
