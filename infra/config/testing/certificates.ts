/** Certificates made for a test, with openssl, in a folder of its own. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface KeyPair {
  readonly certificate: string;
  readonly privateKey: string;
}

/** A certificate authority for the length of one test file; call `remove` at its end. */
export class TestAuthority {
  private readonly folder = mkdtempSync(join(tmpdir(), 'failover-ca-'));
  readonly certificate: string;

  constructor() {
    this.openssl(
      ...this.newKey('ca'),
      '-x509',
      '-days',
      '100',
      '-out',
      'ca.pem',
      '-subj',
      '/CN=test authority',
    );
    this.certificate = this.read('ca.pem');
  }

  issue(names: readonly string[], days = 90): KeyPair {
    this.openssl(...this.newKey('leaf'), '-out', 'leaf.csr', '-subj', '/CN=leaf');
    writeFileSync(
      join(this.folder, 'ext'),
      `subjectAltName=${names.map((name) => `DNS:${name}`).join(',')}\n`,
    );
    const signing = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', String(days)];
    this.openssl('x509', '-req', '-in', 'leaf.csr', ...signing, '-extfile', 'ext', '-out', 'leaf.pem');
    return { certificate: this.read('leaf.pem'), privateKey: this.read('leaf.key') };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }

  private newKey(name: string): string[] {
    return [
      'req',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      `${name}.key`,
    ];
  }

  private openssl(...args: string[]): void {
    execFileSync('openssl', args, { cwd: this.folder, stdio: 'pipe' });
  }

  private read(name: string): string {
    return readFileSync(join(this.folder, name), 'utf8');
  }
}

/** An OpenSSH private key whose header says that it is not encrypted; of no use otherwise. */
export function sshPrivateKey(cipher: string): string {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(cipher.length);
  const body = Buffer.concat([
    Buffer.from('openssh-key-v1\0'),
    length,
    Buffer.from(cipher),
    Buffer.alloc(40),
  ]);
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${body.toString('base64')}\n-----END OPENSSH PRIVATE KEY-----\n`;
}

/** A public host key line of the right form. */
export function hostKey(fill = 7): string {
  const type = 'ssh-ed25519';
  const blob = Buffer.alloc(4 + type.length + 4 + 32, fill);
  blob.writeUInt32BE(type.length, 0);
  blob.write(type, 4);
  blob.writeUInt32BE(32, 4 + type.length);
  return `${type} ${blob.toString('base64')}`;
}
