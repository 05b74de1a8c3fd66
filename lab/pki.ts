/** The lab's own certificate authority and the certificates of its hosts, made with openssl and kept in the cache. */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { exists } from '../tools/cache';
import { run } from '../tools/run';
import { LAB_FOLDER, ZONE } from './names';

export const PKI_FOLDER = path.join(LAB_FOLDER, 'pki');
export const CA_FILE = path.join(PKI_FOLDER, 'ca.pem');

export interface Certificate {
  readonly certificate: string;
  readonly key: string;
}

/** Names that each certificate covers. */
const SUBJECTS = {
  'uk-primary': [`uk.${ZONE}`, `api.${ZONE}`],
  'eu-standby': [`eu.${ZONE}`, `api.${ZONE}`],
  witness: [`witness.${ZONE}`],
} as const;
export type Subject = keyof typeof SUBJECTS;

export function certificateOf(subject: Subject): Certificate {
  return {
    certificate: path.join(PKI_FOLDER, `${subject}.pem`),
    key: path.join(PKI_FOLDER, `${subject}.key`),
  };
}

export async function ensurePki(): Promise<void> {
  await mkdir(PKI_FOLDER, { recursive: true, mode: 0o700 });
  const caKey = path.join(PKI_FOLDER, 'ca.key');
  if (!(await exists(CA_FILE)))
    await made(CA_FILE, (target) =>
      run('openssl', [
        ...[
          'req',
          '-x509',
          '-newkey',
          'ec',
          '-pkeyopt',
          'ec_paramgen_curve:P-256',
          '-nodes',
          '-days',
          '3650',
        ],
        ...['-subj', '/CN=lab authority', '-keyout', caKey, '-out', target],
        ...[
          '-addext',
          'basicConstraints=critical,CA:TRUE',
          '-addext',
          'keyUsage=critical,keyCertSign,cRLSign',
        ],
      ]),
    );
  for (const [subject, names] of Object.entries(SUBJECTS)) {
    const { certificate, key } = certificateOf(subject as Subject);
    if (await exists(certificate)) continue;
    const request = path.join(PKI_FOLDER, `${subject}.csr`);
    const extensions = path.join(PKI_FOLDER, `${subject}.ext`);
    await run('openssl', [
      ...[
        'req',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-subj',
        `/CN=${names[0]}`,
      ],
      ...['-keyout', key, '-out', request],
    ]);
    await writeFile(
      extensions,
      `subjectAltName=${names.map((name) => `DNS:${name}`).join(',')}\nextendedKeyUsage=serverAuth\n`,
    );
    await made(certificate, (target) =>
      run('openssl', [
        ...[
          'x509',
          '-req',
          '-in',
          request,
          '-CA',
          CA_FILE,
          '-CAkey',
          caKey,
          '-CAcreateserial',
          '-days',
          '825',
        ],
        ...['-extfile', extensions, '-out', target],
      ]),
    );
  }
}

async function made(target: string, make: (temporary: string) => Promise<unknown>): Promise<void> {
  await make(`${target}.part`);
  await rename(`${target}.part`, target);
}
