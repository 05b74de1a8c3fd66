import type { EdgeSpec } from '../../../infra/contract/site-spec';
import { checkPort } from '../checks';
import type { Converger } from '../converge';
import { ADMIN_SOCKET, edgePlaces, KEYS_VARIABLE, renderHaproxyConfig } from '../edge/haproxy-config';
import type { LiveList } from '../edge/live-lists';
import { ConfigRefusedError } from '../errors';
import { ensurePackages } from '../packages';
import { CREDENTIALS_DIRECTORY, credentialPath } from '../paths';
import { ensureUnit } from '../service';
import { renderUnit, sandbox } from '../unit-text';
import { ensureAcme } from './acme';
import type { SectionContext } from './context';
import { DERIVED } from './credentials';

export const EDGE_UNIT = 'failover-edge.service';
const USER = 'failover-edge';
const CONFIG_PATH = '/etc/failover/edge/haproxy.cfg';
const CA_PATH = '/etc/failover/edge/ca.pem';
const SYSTEM_CA_PATH = '/etc/ssl/certs/ca-certificates.crt';
/** The credentials as HAProxy may read them, in memory; systemd makes it at the start and renews it at each reload. */
const KEYS_DIRECTORY = '/run/failover-edge-keys';
const CREDENTIALS = [DERIVED.edgeTls, DERIVED.edgeClientKeys, DERIVED.edgeUpstreamKeys] as const;

export async function applyEdge({ converger, document }: SectionContext): Promise<void> {
  const spec = document.edge;
  if (spec === undefined) return;
  if (spec.tls.mode === 'acme') await ensureAcme(converger, spec.tls);
  for (const name of CREDENTIALS) await converger.credential(name);
  await checkPort(converger.host, { protocol: 'tcp', port: 443, address: '*', unit: EDGE_UNIT });
  await ensurePackages(converger, { names: ['haproxy'], mask: ['haproxy.service'] });
  await converger.user(USER);
  await converger.configDirectory('edge');
  const caFile = await certificateAuthority(converger, spec);
  const hasIpv6 = ((await converger.host.readFile('/proc/net/if_inet6'))?.length ?? 0) > 0;
  await converger.file(CONFIG_PATH, renderHaproxyConfig(spec, edgePlaces(caFile, hasIpv6)), {
    check: (candidate) => checkConfig(converger, candidate),
  });
  await ensureUnit(converger, {
    name: EDGE_UNIT,
    content: edgeUnit(),
    inputs: [],
    reloadable: [CONFIG_PATH, caFile, credentialPath(DERIVED.edgeTls)],
    live: {
      socket: ADMIN_SOCKET,
      lists: [liveList('acl', DERIVED.edgeClientKeys), liveList('map', DERIVED.edgeUpstreamKeys)],
    },
    ready: { timeoutSeconds: 30, probe: () => probe(converger) },
  });
}

async function certificateAuthority(converger: Converger, spec: EdgeSpec): Promise<string> {
  if (spec.caCertificate === undefined) {
    await ensurePackages(converger, { names: ['ca-certificates'] });
    return SYSTEM_CA_PATH;
  }
  await converger.file(CA_PATH, `${spec.caCertificate.trimEnd()}\n`);
  return CA_PATH;
}

async function checkConfig(converger: Converger, candidate: string): Promise<void> {
  const result = await converger.host.run('haproxy', ['-c', '-f', candidate], {
    environment: { [KEYS_VARIABLE]: CREDENTIALS_DIRECTORY },
  });
  if (result.code === 0) return;
  throw new ConfigRefusedError(
    `haproxy refuses the configuration; the one in use stays: ${result.stderr.trim() || result.stdout.trim()}`,
  );
}

const liveList = (kind: LiveList['kind'], name: string): LiveList => ({
  kind,
  file: credentialPath(name),
  name: `${KEYS_DIRECTORY}/${name}`,
});

export function edgeUnit(): string {
  return renderUnit([
    {
      name: 'Unit',
      lines: [
        'Description=Edge of the failover stack (HAProxy)',
        'After=network.target failover-firewall.service',
        'StartLimitIntervalSec=0',
      ],
    },
    {
      name: 'Service',
      lines: [
        'Type=notify',
        `User=${USER}`,
        `Group=${USER}`,
        'RuntimeDirectory=failover-edge',
        'RuntimeDirectoryMode=0700',
        `Environment=${KEYS_VARIABLE}=${KEYS_DIRECTORY}`,
        // Not LoadCredential, which gives a service what a key was at its start: a rotation would have to restart it, and
        // every response under way would end.
        ...handOverKeys().map((command) => `ExecStartPre=${command}`),
        `ExecStartPre=/usr/sbin/haproxy -c -f ${CONFIG_PATH}`,
        `ExecStart=/usr/sbin/haproxy -Ws -f ${CONFIG_PATH}`,
        ...handOverKeys().map((command) => `ExecReload=${command}`),
        `ExecReload=/usr/sbin/haproxy -c -f ${CONFIG_PATH}`,
        // The next worker gets the listening sockets, the one before finishes what it has begun.
        'ExecReload=/bin/kill -USR2 $MAINPID',
        `ExecStopPost=+/bin/rm -rf ${KEYS_DIRECTORY}`,
        'KillMode=mixed',
        'SuccessExitStatus=143',
        'Restart=always',
        'RestartSec=1',
        'TimeoutStopSec=30',
        'CPUWeight=500',
        'OOMScoreAdjust=-400',
        'LimitNOFILE=65536',
        // PCRE compiles the path expressions to machine code and refuses to start where it may not.
        ...sandbox({ capabilities: ['CAP_NET_BIND_SERVICE'], allowExecutableMemory: true }),
      ],
    },
    { name: 'Install', lines: ['WantedBy=multi-user.target'] },
  ]);
}

/** As root and outside the sandbox. The folder is root's, so that HAProxy can neither change a key nor plant a link. */
function handOverKeys(): string[] {
  const install = `+/usr/bin/install -o root -g ${USER}`;
  return [
    `${install} -m 0750 -d ${KEYS_DIRECTORY}`,
    ...CREDENTIALS.map((name) => `${install} -m 0440 -T ${credentialPath(name)} ${KEYS_DIRECTORY}/${name}`),
  ];
}

async function probe(converger: Converger): Promise<string | null> {
  try {
    const { status } = await converger.host.http('https://127.0.0.1:443/', { timeoutSeconds: 2 });
    return status === 404 ? null : `/ answers ${status} where the edge would say 404`;
  } catch (error) {
    return error instanceof Error ? error.message : 'no answer';
  }
}
