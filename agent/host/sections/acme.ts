import { isIP } from 'node:net';
import type { EdgeSpec } from '../../../infra/contract/site-spec';
import type { Converger } from '../converge';
import { HostUnsuitableError, NotReadyError } from '../errors';
import { ensurePackages } from '../packages';
import { ACME_DIRECTORY, BUNDLE_PATH, CREDENTIALS_DIRECTORY, credentialPath, NODE_PATH } from '../paths';
import { ensureUnit, lastLines } from '../service';
import { execArgument, loadCredentials, renderUnit, sandbox } from '../unit-text';
import { DERIVED } from './credentials';

export const ACME_UNIT = 'failover-acme.service';
const ACME_TIMER = 'failover-acme.timer';
const USER = 'failover-acme';
const CERTIFICATE_NAME = 'failover';
export const ACME_LIVE_DIRECTORY = `${ACME_DIRECTORY}/config/live/${CERTIFICATE_NAME}`;
const ACCOUNT_CREDENTIAL = 'acme-rfc2136.ini';

type AcmeSpec = Extract<EdgeSpec['tls'], { mode: 'acme' }>;

/** Certificates by DNS challenge: nothing has to be reachable from outside, so a standby gets and renews its own. */
export async function ensureAcme(converger: Converger, spec: AcmeSpec): Promise<void> {
  await ensurePackages(converger, {
    names: ['certbot', 'python3-certbot-dns-rfc2136', 'ca-certificates'],
    mask: ['certbot.timer', 'certbot.service'],
    leaves: { trees: ['/etc/letsencrypt', '/var/lib/letsencrypt', '/var/log/letsencrypt'] },
  });
  const owner = await converger.user(USER);
  await converger.tree(ACME_DIRECTORY, 0o700, owner);
  await converger.configDirectory();
  await converger.directory(CREDENTIALS_DIRECTORY, 0o700);
  const secret = await converger.credential('tsig-key');
  await converger.file(
    credentialPath(ACCOUNT_CREDENTIAL),
    rfc2136Settings(spec, await addressOf(converger, spec.dnsServer), secret),
    { mode: 0o600 },
  );
  await ensureUnit(converger, {
    name: ACME_UNIT,
    content: acmeUnit(spec),
    inputs: [],
    enable: false,
    start: false,
  });
  await obtainFirst(converger);
  await ensureUnit(converger, { name: ACME_TIMER, content: acmeTimer(), inputs: [] });
}

/** Without any certificate the edge cannot start; later ones come by the timer. */
async function obtainFirst(converger: Converger): Promise<void> {
  const pem = credentialPath(DERIVED.edgeTls);
  // Written by the unit's last step, so it is journalled for it here.
  await converger.journal.record(converger.section, { kind: 'file', path: pem });
  if ((await converger.host.stat(pem)) !== null) return;
  const result = await converger.host.run('systemctl', ['start', ACME_UNIT], { timeoutSeconds: 900 });
  if (result.code !== 0 || (await converger.host.stat(pem)) === null) {
    throw new NotReadyError(
      `no certificate could be obtained: ${result.stderr.trim()}. ` +
        `The last lines of ${ACME_UNIT}: ${await lastLines(converger.host, ACME_UNIT)}`,
    );
  }
  converger.changed('obtained the first certificate');
}

/** certbot wants an address. */
async function addressOf(converger: Converger, server: string): Promise<string> {
  if (isIP(server) !== 0) return server;
  const result = await converger.host.run('getent', ['ahosts', server]);
  const address = /^(\S+)/.exec(result.stdout)?.[1];
  if (address === undefined) {
    throw new HostUnsuitableError(
      `the DNS server ${server}, which takes the ACME challenges, has no address here: check this server's resolver`,
    );
  }
  return address;
}

function rfc2136Settings(spec: AcmeSpec, address: string, secret: string): string {
  return `dns_rfc2136_server = ${address}
dns_rfc2136_port = 53
dns_rfc2136_name = ${spec.tsigName.toLowerCase().replace(/\.$/, '')}.
dns_rfc2136_secret = ${secret}
dns_rfc2136_algorithm = HMAC-SHA256
`;
}

export function acmeUnit(spec: AcmeSpec): string {
  const certbot = [
    '/usr/bin/certbot',
    'certonly',
    '--non-interactive',
    '--agree-tos',
    '--keep-until-expiring',
    // A changed list of names is a new certificate under the old name.
    '--renew-with-new-domains',
    `--config-dir=${ACME_DIRECTORY}/config`,
    `--work-dir=${ACME_DIRECTORY}/work`,
    `--logs-dir=${ACME_DIRECTORY}/logs`,
    `--server=${spec.directoryUrl}`,
    `--email=${spec.email}`,
    `--cert-name=${CERTIFICATE_NAME}`,
    '--dns-rfc2136',
    '--dns-rfc2136-propagation-seconds=5',
    ...spec.names.map((name) => `--domain=${name}`),
  ];
  return renderUnit([
    {
      name: 'Unit',
      lines: ['Description=Obtain or renew the certificate of the edge', 'After=network.target'],
    },
    {
      name: 'Service',
      lines: [
        'Type=oneshot',
        `User=${USER}`,
        `Group=${USER}`,
        ...loadCredentials([ACCOUNT_CREDENTIAL]),
        `ExecStart=${certbot.map(execArgument).join(' ')} --dns-rfc2136-credentials=\${CREDENTIALS_DIRECTORY}/${ACCOUNT_CREDENTIAL}`,
        // As root and outside the sandbox: puts the certificate among the credentials and reloads the edge if it is new.
        `ExecStartPost=+${NODE_PATH} ${BUNDLE_PATH} install-certificate`,
        'TimeoutStartSec=900',
        ...sandbox({ writable: [ACME_DIRECTORY], allowExecutableMemory: true }),
      ],
    },
  ]);
}

function acmeTimer(): string {
  return renderUnit([
    { name: 'Unit', lines: ['Description=Renew the certificate of the edge in time'] },
    {
      name: 'Timer',
      lines: ['OnBootSec=5min', 'OnUnitActiveSec=12h', 'RandomizedDelaySec=1h', `Unit=${ACME_UNIT}`],
    },
    { name: 'Install', lines: ['WantedBy=timers.target'] },
  ]);
}
