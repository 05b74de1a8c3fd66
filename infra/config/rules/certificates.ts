import { type Rule, when } from './rule';

/** Rules on how a site gets its certificate. */
export const tlsRules: readonly Rule[] = [
  {
    kind: 'site',
    reads: ['tlsMode', 'tlsCertificateFile', 'tlsPrivateKeyFile'],
    check: ({ tlsMode, tlsCertificateFile, tlsPrivateKeyFile }) =>
      (['tlsCertificateFile', 'tlsPrivateKeyFile'] as const).flatMap((key) =>
        when(tlsMode === 'acme' && { tlsCertificateFile, tlsPrivateKeyFile }[key] !== '', {
          key,
          got: { tlsCertificateFile, tlsPrivateKeyFile }[key],
          allowed: `"" on a site when tlsMode is acme; or set tlsMode to files`,
        }),
      ),
  },
  {
    kind: 'site',
    reads: ['tlsMode', 'acmeEmail'],
    check: ({ tlsMode, acmeEmail }) =>
      when(tlsMode === 'acme' && acmeEmail === '', {
        key: 'acmeEmail',
        got: '',
        allowed: 'an e-mail address, because tlsMode is acme',
      }),
  },
  {
    kind: 'site',
    reads: ['tlsMode', 'acmeDirectoryUrl'],
    check: ({ tlsMode, acmeDirectoryUrl }) =>
      when(tlsMode === 'acme' && acmeDirectoryUrl === '', {
        key: 'acmeDirectoryUrl',
        got: '',
        allowed: 'the https:// address of an ACME directory, because tlsMode is acme',
      }),
  },
];
