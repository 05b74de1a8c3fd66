import type { LogsSpec } from '../../../infra/contract/site-spec';

export interface ShipScript {
  readonly spec: LogsSpec;
  readonly site: string;
  readonly server: string;
  readonly stateDirectory: string;
  readonly rcloneConfig: string;
  /** Lines of one file; a backlog becomes several. @default 20000, some 2 MiB compressed */
  readonly linesPerFile?: number;
  /** Longest that one destination may keep a run waiting. @default the interval, and half a minute at least */
  readonly patienceSeconds?: number;
}

/**
 * Cuts what the journal has since the last time into files, links each into a spool per destination, and moves the spools
 * there side by side. What was cut becomes a batch by one rename, together with the place in the journal that it ends at:
 * a run that is killed before leaves the old place, and one that is killed later leaves a batch for the next to finish.
 */
export function shipScript(options: ShipScript): string {
  const { spec, site, server, stateDirectory, rcloneConfig } = options;
  const destinations = spec.destinations.map(({ name, bucket }) => `${name}:${bucket}`).join(' ');
  const patience = options.patienceSeconds ?? Math.max(30, Math.ceil(spec.intervalSeconds));
  return `#!/bin/bash
# Written by failover-agent apply; changes made here are overwritten.
set -uo pipefail
umask 077
state=${stateDirectory}
folder=logs/${site}/${server}
destinations=(${destinations})
lines=${options.linesPerFile ?? 20_000}
patience=${patience}
spool_max_mib=${spec.spoolMaxMib}
rclone=(rclone --config ${rcloneConfig})
${BODY}`;
}

const BODY = `# A bucket with a key of its own answers with an ETag that is no MD5; S3 itself holds the content against Content-MD5.
rclone+=(--ignore-checksum --no-check-dest --retries 1 --low-level-retries 2 --contimeout 10s --timeout 30s)
if [ -n "\${CREDENTIALS_DIRECTORY:-}" ]; then
  AWS_ACCESS_KEY_ID=$(cat "$CREDENTIALS_DIRECTORY/store-access-key") || exit 1
  AWS_SECRET_ACCESS_KEY=$(cat "$CREDENTIALS_DIRECTORY/store-secret-key") || exit 1
  export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
fi
failed=0
say() { echo "<$1>$2" >&2; }
number() { cat "$1" 2>/dev/null || echo 0; }

# Cuts a batch: 0 with one, 1 with nothing new, 2 without success.
take() {
  rm -rf batch.part && mkdir batch.part || return 2
  # Of a copy: journalctl writes down where it stopped reading, even when nobody could take what it read.
  if grep -Eqs '^s=[0-9a-f]+;i=' cursor; then cp cursor batch.part/read || return 2; fi
  journalctl --quiet --all --output=json --cursor-file=batch.part/read \\
    --unit=failover-logs.service --unit='failover-*' 2>batch.part/complaint |
    head -n "$lines" | sed '/}$/!d' | gzip >batch.part/file
  local codes=("\${PIPESTATUS[@]}")
  [ "\${codes[*]:1}" = '0 0 0' ] && taken=$(gzip -dc batch.part/file | wc -l) || return 2
  # What came is in order and good, however it ended. With nothing to tell it fails, but has no complaint.
  if [ "$taken" = 0 ]; then
    [ "\${codes[0]}" -le 1 ] && [ ! -s batch.part/complaint ] || return 2
    return 1
  fi
  local next=$(($(number number) + 1))
  gzip -dc batch.part/file | tail -n 1 | sed -En 's/.*"__CURSOR" ?: ?"([^"]*)".*/\\1/p' >batch.part/cursor || return 2
  [ -s batch.part/cursor ] || return 2
  echo "$next" >batch.part/number &&
    printf '%s/%s-%06d.json.gz\\n' "$folder" "$(date -u +%Y-%m-%d/%H%M%SZ)" "$next" >batch.part/name &&
    sync batch.part/* batch.part && mv -T batch.part batch
}

# Takes a batch into every spool. The place in the journal moves last: without it the batch is one that was finished.
finish() {
  if [ -e batch/cursor ]; then
    local name destination spool
    name=$(cat batch/name) || return
    for destination in "\${destinations[@]}"; do
      spool=spool/\${destination%%:*}
      mkdir -p "$spool/\${name%/*}" && ln -f batch/file "$spool/$name" || return
    done
    find spool -type d -exec sync {} + || return
    mv -f batch/number number 2>/dev/null
    mv -f batch/cursor cursor && sync . || return
  fi
  rm -rf batch
}

ship() {
  local destination=$1 spool=spool/\${1%%:*} said
  [ -n "$(find "$spool" -type f -print -quit)" ] || return 0
  said=$(timeout -k 5 "$patience" "\${rclone[@]}" move --delete-empty-src-dirs "$spool" "$destination" 2>&1 9>&-) && return 0
  # The first cause, in one line and without the signature of an address.
  said=$({ grep -m 1 -A 1 ERROR <<<"$said" || tail -n 1 <<<"$said"; } | tr '\\n\\t' '  ' | sed -E 's/\\?[^" ]*//g; s/ +$//')
  say 4 "$(find "$spool" -type f | wc -l) files wait for $destination: \${said:-nothing within $patience s}"
  return 1
}

declare -A away=()
ship_all() {
  local destination
  local -A jobs=()
  for destination in "\${destinations[@]}"; do
    [ -z "\${away[$destination]:-}" ] || continue
    mkdir -p "spool/\${destination%%:*}"
    ship "$destination" &
    jobs[$destination]=$!
  done
  for destination in "\${!jobs[@]}"; do
    wait "\${jobs[$destination]}" || away[$destination]=yes failed=1
  done
}

# Drops the oldest of what waits beyond the bound; a file counts once, however many destinations it waits for.
bound() {
  local name file count=0 first='' last='' losers=''
  while read -r name; do
    for file in spool/*/"$name"; do
      [ -e "$file" ] || continue
      rm -f "$file" && file=\${file#spool/} && file=\${file%%/*}
      case " $losers " in *" $file "*) ;; *) losers="$losers $file" ;; esac
    done
    first=\${first:-$name} last=$name count=$((count + 1))
  done < <(find spool -type f -printf '%P\\t%k\\n' | sed 's|^[^/]*/||' | LC_ALL=C sort -ru |
    awk -F '\\t' -v max=$((spool_max_mib * 1024)) '{ total += $2 } total > max { print $1 }' | tac)
  [ "$count" -gt 0 ] || return 0
  failed=1
  local total=$(($(number dropped) + count))
  say 3 "dropped $count files ($first to $last), $total in all: more than $spool_max_mib MiB wait; lost to$losers"
  echo "$total" >dropped.part && mv -f dropped.part dropped
}

# What waits for a destination that is none any more.
forget() {
  local spool destination
  for spool in spool/*/; do
    spool=\${spool%/}
    for destination in "\${destinations[@]}"; do
      [ "$spool" != "spool/\${destination%%:*}" ] || continue 2
    done
    [ -d "$spool" ] || continue
    say 5 "$(find "$spool" -type f | wc -l) files are not sent to \${spool#spool/}, which is no destination any more"
    rm -rf "$spool"
  done
}

cd "$state" && exec 9>lock && flock -w 300 9 || exit 1
mkdir -p spool
forget
while :; do
  taken=0 cut=0
  if ! finish; then
    cut=2
  else
    take || cut=$?
    if [ "$cut" = 0 ]; then finish || cut=2; fi
  fi
  if [ "$cut" = 2 ]; then
    failed=1
    say 3 "the journal could not be read or its lines not be kept; tried again next time: $(head -n 1 batch.part/complaint 2>/dev/null)"
  fi
  rm -rf batch.part
  ship_all
  bound
  [ "$cut" = 0 ] && [ "$taken" -ge "$lines" ] || exit "$failed"
done
`;
