import { createHash } from 'node:crypto';

/** Functions of the first-boot script. Values are checked by who renders it: none needs quoting. */

export const HELPERS = `home=/opt/failover
fail() { echo "failover: $*" >&2; exit 1; }
getnode() {
  export DEBIAN_FRONTEND=noninteractive
  if [ ! -x /usr/bin/node ]; then
    apt-get -q -o DPkg::Lock::Timeout=600 update
    apt-get -q -y -o DPkg::Lock::Timeout=600 install --no-install-recommends nodejs
  fi
  node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' || fail "node 18 or newer is needed"
}`;

export interface VolumeOptions {
  readonly device: string;
  readonly folder: string;
  /** Folder of the volume: where it is seen. What the agent remembers of the data stays with the data. */
  readonly binds: Readonly<Record<string, string>>;
  readonly fstab?: string;
}

/** `volume`: the data volume in its place, made a filesystem only if nothing at all is on it. */
export function volumeScript({ device, folder, binds, fstab = '/etc/fstab' }: VolumeOptions): string {
  const find = device.startsWith('/')
    ? `  [ ! -b ${device} ] || { readlink -f ${device}; return; }
  # Without a link of that name: the one EBS disk that the system is not on.
  root=$(lsblk -nlspo NAME "$(findmnt -no SOURCE /)" | tail -n 1)
  lsblk -dnpo NAME,MODEL | awk -v r="$root" '/Elastic Block Store/ && $1 != r { n++; d = $1 } END { if (n == 1) print d }'`
    : `  lsblk -dnpo NAME,SERIAL | awk '$2 == "${device.replace('-', '')}" { print $1 }'`;
  return `disk() {
${find}
}
place() { # source, folder, type, options
  mkdir -p "$2"
  grep -qs "^$1 $2 " ${fstab} || { echo "$1 $2 $3 $4,nofail 0 0" >>${fstab}; systemctl daemon-reload; }
  mountpoint -q "$2" || mount "$2"
}
volume() {
  d=$(disk)
  [ -b "$d" ] || fail "the data volume ${device} is not here (yet)"
  type=$(blkid -p -o value -s TYPE "$d") || {
    if blkid -p "$d" >&2 || ! cmp -s -n 4194304 "$d" /dev/zero; then
      fail "$d is neither blank nor a filesystem; it stays as it is"
    fi
    mkfs.ext4 -q "$d"
    type=ext4
  }
  [ "$type" = ext4 ] || fail "$d holds \${type:-partitions}, not ext4; it stays as it is"
  place "UUID=$(blkid -p -o value -s UUID "$d")" ${folder} ext4 defaults
${Object.entries(binds)
  .map(([name, path]) => `  mkdir -p ${folder}/${name}\n  place ${folder}/${name} ${path} none bind`)
  .join('\n')}
}`;
}

/** SHA-256 of no body: S3 wants it signed, and not every curl adds it. */
const EMPTY = createHash('sha256').digest('hex');

export interface FetchOptions {
  readonly bucket: string;
  readonly region: string;
  readonly metadata: string;
  readonly s3: string;
  readonly pointer: string;
}

/** `fetch_bundle`: the bundle that the pointer names, with the instance's role. Keys are in no argument list. */
export function fetchScript({ bucket, region, metadata, s3, pointer }: FetchOptions): string {
  return `imds() { curl -fsS -m 10 -K - "${metadata}/latest/$1" <<<"header = \\"x-aws-ec2-metadata-token: $token\\""; }
get() { # key, file
  token=$(curl -fsS -m 10 -X PUT -H 'x-aws-ec2-metadata-token-ttl-seconds: 60' ${metadata}/latest/api/token)
  role=$(imds meta-data/iam/security-credentials/)
  imds "meta-data/iam/security-credentials/$role" | node -e '
    const c = JSON.parse(fs.readFileSync(0, "utf8"));
    console.log("user = " + c.AccessKeyId + ":" + c.SecretAccessKey);
    console.log("header = \\"x-amz-security-token: " + c.Token + "\\"");' |
    curl -fsS -m 300 --aws-sigv4 aws:amz:${region}:s3 -H x-amz-content-sha256:${EMPTY} -K - -o "$2" "${s3}/${bucket}/$1"
}
fetch_bundle() {
  cd "$home/incoming"
  get ${pointer} pointer
  read -r key hash < <(node -p 'const b = JSON.parse(fs.readFileSync("pointer")).bundle; b.key + " " + b.sha256') ||
    fail "${pointer} names no bundle"
  get "$key" first.js
  echo "$hash  first.js" | sha256sum -c --status || fail "$key has not the SHA-256 that ${pointer} names"
}`;
}
