import type { LogsSpec } from '../../../infra/contract/site-spec';

export interface ShipScript {
  readonly spec: LogsSpec;
  readonly site: string;
  readonly server: string;
  readonly stateDirectory: string;
  readonly rcloneConfig: string;
}

/**
 * Cuts what the journal has since the last time into a file, and moves the files of each destination there. The place in the
 * journal is written down only once the file is in every spool: a crash anywhere repeats lines and loses none.
 */
export function shipScript({ spec, site, server, stateDirectory, rcloneConfig }: ShipScript): string {
  const destinations = spec.destinations.map(({ name, bucket }) => `${name}:${bucket}`).join(' ');
  return `#!/bin/sh
set -eu
state=${stateDirectory}
destinations='${destinations}'
if [ -n "\${CREDENTIALS_DIRECTORY:-}" ]; then
  AWS_ACCESS_KEY_ID=$(cat "$CREDENTIALS_DIRECTORY/store-access-key")
  AWS_SECRET_ACCESS_KEY=$(cat "$CREDENTIALS_DIRECTORY/store-secret-key")
  export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
fi

cd "$state"
rm -f ./*.part
cursor=$(cat cursor 2>/dev/null || true)
journalctl --quiet --output=json --show-cursor \${cursor:+"--after-cursor=$cursor"} --unit='failover-*' >new.part
next=$(tail -n 1 new.part | sed -n 's/^-- cursor: //p')
if [ -n "$next" ] && [ "$next" != "$cursor" ]; then
  name=${site}/${server}/$(date -u +%Y-%m-%d/%H%M%SZ-$$).json.gz
  sed '$d' new.part | gzip >file.part
  for destination in $destinations; do
    spool=spool/\${destination%%:*}
    mkdir -p "$spool/\${name%/*}"
    ln -f file.part "$spool/$name"
  done
  printf '%s\\n' "$next" >cursor.part
  sync -f cursor.part
  mv cursor.part cursor
fi
rm -f ./*.part

failed=0
for destination in $destinations; do
  spool=spool/\${destination%%:*}
  [ -d "$spool" ] || continue
  while [ "$(du -sm "$spool" | cut -f 1)" -gt ${spec.spoolMaxMib} ]; do
    oldest=$(find "$spool" -type f | sort | head -n 1)
    [ -n "$oldest" ] || break
    echo "<3>dropped $oldest: more than ${spec.spoolMaxMib} MiB wait for $destination" >&2
    rm -f "$oldest"
  done
  rclone --config ${rcloneConfig} --no-check-dest --delete-empty-src-dirs --retries 1 --low-level-retries 2 --contimeout 10s --timeout 60s \\
    move "$spool" "$destination/logs" || failed=1
done
exit "$failed"
`;
}
