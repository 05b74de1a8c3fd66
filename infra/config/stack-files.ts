/** The key and certificate files of one stack, read and checked. */
import {
  certificateFaults,
  type ReadText,
  readNamedFile,
  refuseCertificates,
  refuseSshPrivateKey,
  refuseTlsPrivateKey,
} from './files';
import { PLATFORM_KEYS, platformOf, serviceHostOf, witnessHostOf } from './names';
import type { Problem } from './problems';
import type { ConfigKey, FlatConfig } from './schema';

const NAME_KEYS: readonly ConfigKey[] = ['zone', 'serviceHost', 'witnessHost', 'sites', 'site'];

/** Keys and addresses of others' services that a site's agent calls, by the credential that each becomes. */
const OUTWARD_FILES = {
  'dns-token': 'cloudflareTokenFile',
  'alert-pagerduty-key': 'pagerdutyKeyFile',
  'alert-opsgenie-key': 'opsgenieKeyFile',
  'alert-slack-webhook': 'slackWebhookFile',
  'alert-webhook': 'alertWebhookFile',
  'store-access-key': 'storeAccessKeyFile',
  'store-secret-key': 'storeSecretKeyFile',
} as const;
type OutwardCredential = keyof typeof OUTWARD_FILES;

export interface StackFiles {
  /** "" where there is no server, or nobody logs in. */
  readonly sshPrivateKey: string;
  /** Absent on a site whose certificate comes by ACME. */
  readonly tls: { readonly certificate: string; readonly privateKey: string } | undefined;
  readonly caCertificate: string | undefined;
  /** What is set of it, on a site. */
  readonly outward: Readonly<Partial<Record<OutwardCredential, string>>>;
}

type FileKey =
  | 'sshPrivateKeyFile'
  | 'tlsCertificateFile'
  | 'tlsPrivateKeyFile'
  | 'caCertificateFile'
  | (typeof OUTWARD_FILES)[OutwardCredential];

/** What is allowed, when it is something else. */
const refuseUnlessOneLine = (text: string): string | undefined =>
  /^\S+\s*$/.test(text) ? undefined : 'a file with one line and no spaces in it';

export interface ReadStackFiles {
  readonly files: StackFiles;
  readonly problems: readonly Problem[];
}

function namesToCover(config: FlatConfig): string[] {
  if (config.stackKind === 'witness') return [witnessHostOf(config)];
  const own = config.sites.find(({ site }) => site === config.site);
  return own === undefined ? [] : [serviceHostOf(config), own.host];
}

/** `badKeys` have been complained of already, and what depends on them is not checked. */
export function readStackFiles(
  config: FlatConfig,
  read: ReadText,
  now: Date,
  badKeys: ReadonlySet<ConfigKey>,
): ReadStackFiles {
  const problems: Problem[] = [];

  function take(
    key: FileKey,
    what: string,
    refuse: (text: string) => string | undefined,
  ): string | undefined {
    if (badKeys.has(key)) return undefined;
    const path = config[key];
    if (path === '') {
      problems.push({ key, got: path, allowed: what });
      return undefined;
    }
    const result = readNamedFile(path, read);
    const allowed = 'refused' in result ? result.refused : refuse(result.text);
    if (allowed !== undefined) {
      problems.push({ key, got: path, allowed });
      return undefined;
    }
    return 'text' in result ? result.text : undefined;
  }

  const sshPrivateKey =
    PLATFORM_KEYS.some((key) => badKeys.has(key)) || platformOf(config) !== 'dedicated'
      ? undefined
      : take(
          'sshPrivateKeyFile',
          'the file with the private key that logs in to the servers',
          refuseSshPrivateKey,
        );
  const caCertificate =
    config.caCertificateFile === ''
      ? undefined
      : take('caCertificateFile', 'a file with PEM certificates', refuseCertificates);

  const outward = Object.fromEntries(
    Object.entries(OUTWARD_FILES)
      .filter(([, key]) => config.stackKind === 'site' && config[key] !== '')
      .map(([credential, key]) => [
        credential,
        take(key, 'a file with the key', refuseUnlessOneLine)?.trim(),
      ]),
  ) as StackFiles['outward'];

  // Without a zone there are no names yet, and complaining of a certificate would only mislead.
  const namesKnown = config.zone !== '' && !NAME_KEYS.some((key) => badKeys.has(key));
  const hasOwnCertificate =
    config.stackKind === 'witness' ? platformOf(config) === 'dedicated' : config.tlsMode === 'files';
  if (!hasOwnCertificate)
    return {
      files: { sshPrivateKey: sshPrivateKey ?? '', tls: undefined, caCertificate, outward },
      problems,
    };

  const names = namesKnown ? namesToCover(config) : [];
  const certificate = take(
    'tlsCertificateFile',
    `a file with the PEM certificate chain for ${names.join(' and ') || 'its names'}`,
    refuseCertificates,
  );
  const privateKey = take('tlsPrivateKeyFile', 'the file with its PEM private key', refuseTlsPrivateKey);
  if (certificate !== undefined && privateKey !== undefined) {
    const check = {
      certificatePem: certificate,
      privateKeyPem: privateKey,
      authorityPem: caCertificate,
      names,
      now,
    };
    for (const allowed of certificateFaults(check))
      problems.push({ key: 'tlsCertificateFile', got: config.tlsCertificateFile, allowed });
  }
  return {
    files: {
      sshPrivateKey: sshPrivateKey ?? '',
      tls: { certificate: certificate ?? '', privateKey: privateKey ?? '' },
      caCertificate,
      outward,
    },
    problems,
  };
}
