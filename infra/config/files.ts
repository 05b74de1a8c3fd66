/** Reading the files that the configuration names, and telling at once when one cannot be what it should be. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { PROJECT_FOLDER } from '../paths';

/** Read a file as text; throws when it cannot be read. */
export type ReadText = (path: string) => string;

export const readProjectFile: ReadText = (path) => readFileSync(resolve(PROJECT_FOLDER, path), 'utf8');

export type FileResult = { readonly text: string } | { readonly refused: string };

export function readNamedFile(path: string, read: ReadText): FileResult {
  try {
    return { text: read(path) };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    const meaning =
      {
        ENOENT: 'a file that exists',
        EACCES: 'a file that you may read (chmod or chown it)',
        EISDIR: 'a file, not a folder',
      }[code] ?? `a readable file (${code})`;
    return { refused: meaning };
  }
}

/** Undefined when `text` is a private key that can be used without a passphrase, else what would be allowed. */
export function refuseSshPrivateKey(text: string): string | undefined {
  const allowed = 'an unencrypted private key in OpenSSH or PEM form';
  const armour = /-----BEGIN ((?:[A-Z]+ )?PRIVATE KEY)-----\s([\s\S]+?)-----END \1-----/.exec(text);
  if (armour?.[1] === undefined || armour[2] === undefined) return allowed;
  if (armour[1] === 'ENCRYPTED PRIVATE KEY' || armour[2].includes('ENCRYPTED')) return allowed;
  if (armour[1] !== 'OPENSSH PRIVATE KEY') return undefined;
  const body = Buffer.from(armour[2], 'base64').toString('latin1');
  // Magic, then the cipher's name as a length-prefixed string.
  return body.startsWith('openssh-key-v1\0\0\0\0\x04none') ? undefined : allowed;
}

export function parseCertificates(pem: string): readonly X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => new X509Certificate(block));
}

/** Undefined when `pem` holds at least one certificate, else what would be allowed. */
export function refuseCertificates(pem: string): string | undefined {
  const allowed = 'one or more PEM certificates';
  try {
    return parseCertificates(pem).length > 0 ? undefined : allowed;
  } catch (error) {
    return `${allowed} (${error instanceof Error ? error.message : String(error)})`;
  }
}

export function refuseTlsPrivateKey(pem: string): string | undefined {
  try {
    createPrivateKey(pem);
    return undefined;
  } catch {
    return 'an unencrypted PEM private key';
  }
}

export interface CertificateCheck {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly authorityPem: string | undefined;
  readonly names: readonly string[];
  readonly now: Date;
}

const MINIMUM_DAYS_LEFT = 3;

/** What is wrong with a certificate for these names: a peer that refuses it would show only during a failover. */
export function certificateFaults(check: CertificateCheck): readonly string[] {
  const chain = parseCertificates(check.certificatePem);
  const leaf = chain[0];
  if (leaf === undefined) return ['one or more PEM certificates'];
  const faults: string[] = [];
  const missing = check.names.filter((name) => leaf.checkHost(name) === undefined);
  if (missing.length > 0) faults.push(`a certificate that covers ${missing.join(' and ')}`);
  const daysLeft = (new Date(leaf.validTo).getTime() - check.now.getTime()) / 86_400_000;
  if (daysLeft < MINIMUM_DAYS_LEFT)
    faults.push(`a certificate with more than ${MINIMUM_DAYS_LEFT} days left; this one ends ${leaf.validTo}`);
  if (new Date(leaf.validFrom).getTime() > check.now.getTime())
    faults.push(`a certificate that is valid already; this one starts ${leaf.validFrom}`);
  if (!leaf.checkPrivateKey(createPrivateKey(check.privateKeyPem)))
    faults.push('a certificate that belongs to tlsPrivateKeyFile');
  if (
    check.authorityPem !== undefined &&
    !chainsTo(leaf, chain.slice(1), parseCertificates(check.authorityPem))
  )
    faults.push('a chain that leads to an authority in caCertificateFile');
  return faults;
}

function chainsTo(
  leaf: X509Certificate,
  intermediates: readonly X509Certificate[],
  authorities: readonly X509Certificate[],
): boolean {
  const issuedBy = (subject: X509Certificate) => (issuer: X509Certificate) =>
    subject.checkIssued(issuer) && subject.verify(issuer.publicKey);
  let current = leaf;
  for (let depth = 0; depth <= intermediates.length; depth++) {
    if (authorities.some(issuedBy(current))) return true;
    const next = intermediates.find(issuedBy(current));
    if (next === undefined) return false;
    current = next;
  }
  return false;
}
