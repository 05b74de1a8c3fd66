/**
 * What an EC2 server runs at its first boot: mount the data volume, get Node, fetch the bundle that its pointer names and
 * hand over to it. The text depends on the server alone, never on what it should be, so it is written once.
 */
import { AGENT_STATE_DIRECTORY, QDRANT_DIRECTORY } from '../contract/server-paths';
import { desiredKey } from '../contract/desired-state';
import { FailoverError } from '../errors';
import { fetchScript, HELPERS, volumeScript } from './user-data-parts';

export interface UserDataArgs {
  /** The site's deploy bucket. */
  readonly bucket: string;
  readonly region: string;
  readonly server: string;
  readonly s3Endpoint?: string;
  readonly metadataEndpoint?: string;
  readonly secretsEndpoint?: string;
  /** `/dev/…` as it was attached, or the id of the volume. */
  readonly dataDevice?: string;
  /** Where the data volume is mounted; models may lie there too. */
  readonly dataFolder?: string;
}

export class UserDataInvalidError extends FailoverError {
  constructor(message: string) {
    super('USER_DATA_INVALID', message);
  }
}

/** EC2 takes 16 KiB; what is longer than this does too much. */
export const MAX_USER_DATA_BYTES = 4096;
export const DATA_FOLDER = '/srv/failover';
const METADATA = 'http://169.254.169.254';

/** Nothing here needs quoting in a shell, and nothing else is taken. */
const PLAIN = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const PATH = /^(\/[A-Za-z0-9._-]+)+$/;
const ORIGIN = /^https?:\/\/[A-Za-z0-9.-]+(:\d+)?$/;
const DEVICE = /^(\/dev\/[a-z0-9/-]+|vol-[0-9a-f]+)$/;

function checked(name: keyof UserDataArgs, value: string, form: RegExp): string {
  if (form.test(value)) return value;
  throw new UserDataInvalidError(
    `${name} of the user data should match ${String(form)}, and is ${JSON.stringify(value)}`,
  );
}

export function renderUserData(args: UserDataArgs): string {
  const bucket = checked('bucket', args.bucket, PLAIN);
  const region = checked('region', args.region, PLAIN);
  const server = checked('server', args.server, PLAIN);
  const folder = checked('dataFolder', args.dataFolder ?? DATA_FOLDER, PATH);
  const device = checked('dataDevice', args.dataDevice ?? '/dev/sdf', DEVICE);
  const metadata = checked('metadataEndpoint', args.metadataEndpoint ?? METADATA, ORIGIN);
  const s3 = checked('s3Endpoint', args.s3Endpoint ?? `https://s3.${region}.amazonaws.com`, ORIGIN);
  const options = [
    `--bucket ${bucket} --region ${region} --server ${server}`,
    ...(args.s3Endpoint === undefined ? [] : [`--endpoint ${s3}`]),
    ...(args.metadataEndpoint === undefined ? [] : [`--metadata-endpoint ${metadata}`]),
    ...(args.secretsEndpoint === undefined
      ? []
      : [`--secrets-endpoint ${checked('secretsEndpoint', args.secretsEndpoint, ORIGIN)}`]),
  ].join(' ');
  const script = `#!/bin/bash
# First boot of ${server}. Written once: what the server should be is in its bucket.
set -euo pipefail
${HELPERS}
${volumeScript({ device, folder, binds: { qdrant: QDRANT_DIRECTORY, agent: AGENT_STATE_DIRECTORY } })}
${fetchScript({ bucket, region, metadata, s3, pointer: desiredKey(server) })}
case "\${1:-}" in
once)
  volume
  getnode
  fetch_bundle
  node "$home/incoming/first.js" pull --install ${options}
  systemctl disable -q failover-first-boot ;;
run)
  wait=5
  until "$0" once; do
    sleep $wait
    wait=$((wait < 150 ? wait * 2 : 300))
  done ;;
*)
  # A unit, so that a reboot half-way goes on where it was.
  mkdir -p "$home/incoming"
  install -m 0700 "$0" "$home/first-boot"
  cat >/etc/systemd/system/failover-first-boot.service <<END
[Unit]
Wants=network-online.target
After=network-online.target
[Service]
ExecStart=$home/first-boot run
Restart=on-failure
RestartSec=30
StandardOutput=journal+console
[Install]
WantedBy=multi-user.target
END
  systemctl daemon-reload
  systemctl enable -q failover-first-boot
  systemctl start --no-block failover-first-boot ;;
esac
`;
  if (Buffer.byteLength(script) >= MAX_USER_DATA_BYTES)
    throw new UserDataInvalidError(
      `the user data takes ${Buffer.byteLength(script)} bytes and may take ${MAX_USER_DATA_BYTES}: use shorter names`,
    );
  return script;
}
