/**
 * Shell that a server runs before it has the agent. Plain POSIX sh, no secrets: these texts are visible in previews
 * and in the state.
 */
import { SECTIONS } from '../infra/contract/site-spec';

/** Where things are on a server. */
export interface ServerFolders {
  readonly install: string;
  readonly state: string;
  readonly systemdRuntime: string;
  readonly node: string;
}
export const SERVER_FOLDERS: ServerFolders = {
  install: '/opt/failover',
  state: '/var/lib/failover',
  systemdRuntime: '/run/systemd/system',
  node: '/usr/bin/node',
};

/** Quote for sh. */
export const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/**
 * Run a script as root. It is one argument of sh, so nothing of it depends on the login shell, and it reads nothing
 * from the session's input.
 */
export function asRoot(user: string, script: string): string {
  const run = `/bin/sh -euc ${quote(script)} </dev/null`;
  if (user === 'root') return run;
  const refusal = `refused: ${user} may not run sudo without a password; let it (sudoers: NOPASSWD) or set failover:sshUser to root`;
  return `sudo -n true 2>/dev/null || { echo ${quote(refusal)} >&2; exit 1; }; sudo -n ${run}`;
}

const FAIL = 'fail() { echo "refused: $*" >&2; exit 1; }';

export interface PrepareOptions {
  readonly user: string;
  readonly architecture: string;
  readonly minimumFreeMegabytes: number;
  readonly folders?: ServerFolders;
}

/** Check that the server can be used, make our folders, and install Debian's Node when there is none. */
export function prepareScript({
  user,
  architecture,
  minimumFreeMegabytes,
  folders = SERVER_FOLDERS,
}: PrepareOptions): string {
  const { install, state, systemdRuntime, node } = folders;
  return `${FAIL}
[ "$(id -u)" = 0 ] || fail "root is needed, and this is $(id -un)"
machine=$(uname -m)
[ "$machine" = ${architecture} ] || fail "this server is $machine, and ${architecture} is needed: the pinned programs are built for it"
[ -d "${systemdRuntime}" ] || fail "systemd does not run here; every part of a site is a systemd unit"
command -v apt-get >/dev/null || fail "there is no apt-get; Debian 12 or a newer Debian or Ubuntu is needed"
mkdir -p "${install}" "${state}"
for folder in "${install}" "${state}"; do
  free=$(df -Pm "$folder" | awk 'NR == 2 { print $4 }')
  [ "$free" -ge ${minimumFreeMegabytes} ] || fail "$folder has $free MB free, and ${minimumFreeMegabytes} MB are needed"
done
packages() { dpkg-query -W -f '\${Package}\\n' | sort; }
before="${state}/packages-before"
if [ ! -x "${node}" ]; then
  export DEBIAN_FRONTEND=noninteractive
  # Kept over an interruption: what is new since then came with Node, and is taken away with it.
  [ -f "$before" ] || { packages >"$before.new"; mv "$before.new" "$before"; }
  apt-get -q -o DPkg::Lock::Timeout=120 update || fail "apt-get update did not work; see above"
  apt-get -q -y -o DPkg::Lock::Timeout=120 install --no-install-recommends nodejs || fail "apt-get could not install nodejs; see above"
fi
if [ -f "$before" ]; then
  packages | comm -13 "$before" - >"${state}/packages-for-node"
  rm "$before"
fi
version=$("${node}" -p 'process.versions.node')
[ "\${version%%.*}" -ge 18 ] || fail "${node} is $version, and 18 or newer is needed"
mkdir -p "${install}/incoming" "${install}/releases"
chown "${user}" "${install}/incoming"
echo "prepared: $machine, node $version"`;
}

/** Undo {@link prepareScript}. Packages that something else has come to need meanwhile stay. */
export function unprepareScript(folders: ServerFolders = SERVER_FOLDERS): string {
  const { install, state } = folders;
  const ours = `"${state}/packages-for-node"`;
  return `rm -rf "${install}"
if [ -s ${ours} ]; then
  export DEBIAN_FRONTEND=noninteractive
  sort -u ${ours} >${ours}.sorted
  others=$(xargs apt-get -q -s purge <${ours}.sorted | awk '/^(Purg|Remv) / { print $2 }' | sort -u | comm -13 ${ours}.sorted -)
  if [ -z "$others" ]; then
    xargs apt-get -q -y -o DPkg::Lock::Timeout=120 purge <${ours}.sorted
  else
    echo "kept: nodejs and what came with it, needed by" $others
  fi
fi
rm -f ${ours} ${ours}.sorted
if [ -d "${state}" ]; then rmdir --ignore-fail-on-non-empty "${state}"; fi`;
}

export interface ReleaseOptions {
  readonly release: string;
  readonly sha256: string;
  readonly folders?: ServerFolders;
}

export const incomingPath = (release: string, folders = SERVER_FOLDERS): string =>
  `${folders.install}/incoming/${release}.js`;

/** Put the copied bundle in its place once its bytes are the expected ones; keep the release before it. */
export function installReleaseScript({ release, sha256, folders = SERVER_FOLDERS }: ReleaseOptions): string {
  const incoming = `"${incomingPath(release, folders)}"`;
  const releases = `"${folders.install}/releases"`;
  const target = `"${folders.install}/releases/${release}"`;
  const file = `"${folders.install}/releases/${release}/failover-agent.js"`;
  return `${FAIL}
hash() { sha256sum "$1" | cut -d ' ' -f 1; }
if [ ! -f ${file} ] || [ "$(hash ${file})" != ${sha256} ]; then
  [ -f ${incoming} ] || fail "the bundle was not copied to ${incomingPath(release, folders)}"
  got=$(hash ${incoming})
  [ "$got" = ${sha256} ] || fail "the copied bundle has SHA-256 $got, and ${sha256} was built"
  mkdir -p ${target}
  install -m 0755 -o root -g root ${incoming} ${file}.new
  mv -f ${file}.new ${file}
fi
rm -f ${incoming}
touch ${target}
ln -sfn releases/${release} "${folders.install}/current.new"
mv -Tf "${folders.install}/current.new" "${folders.install}/current"
ls -1t ${releases} | tail -n +3 | while read -r old; do rm -rf ${releases}/"$old"; done
echo "installed: release ${release}"`;
}

/**
 * Before the agent goes, undo every section once more. One that failed half-way while it was being created is not in
 * the state, so nothing else would undo it; for the others there is nothing left to do.
 */
export function removeSectionsScript(folders: ServerFolders = SERVER_FOLDERS): string {
  const agent = `"${folders.install}/current/failover-agent.js"`;
  return `if [ -f ${agent} ]; then
  for section in ${[...SECTIONS].reverse().join(' ')}; do "${folders.node}" ${agent} remove $section; done
fi`;
}

/** Check that containers can have the GPUs, and describe them to podman. */
export function gpuToolkitScript(folders: ServerFolders = SERVER_FOLDERS): string {
  return `${FAIL}
command -v nvidia-smi >/dev/null || fail "there is no nvidia-smi; install NVIDIA's driver for this GPU"
nvidia-smi -L | grep -q '^GPU ' || fail "nvidia-smi sees no GPU; see that the driver is loaded (dmesg, reboot after installing it)"
command -v nvidia-ctk >/dev/null || fail "there is no nvidia-ctk; install NVIDIA's nvidia-container-toolkit package"
mkdir -p /etc/cdi
[ -e /etc/cdi/nvidia.yaml ] || : >"${folders.state}/made-cdi"
nvidia-ctk --quiet cdi generate --output=/etc/cdi/nvidia.yaml
nvidia-smi -L`;
}

/** Undo {@link gpuToolkitScript}: a description that was there before us stays. */
export function ungpuToolkitScript(folders: ServerFolders = SERVER_FOLDERS): string {
  const made = `"${folders.state}/made-cdi"`;
  return `if [ -e ${made} ]; then rm -f /etc/cdi/nvidia.yaml ${made}; fi`;
}
