/** The lab's stock server with Debian's cloud-init in it, as an image of a cloud provider has; NoCloud stands for EC2's own data source. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { ensureArtifact } from '../../tools/cache';
import { run } from '../../tools/run';
import { debianMirror, SUITE, type BaseImage } from '../base-image';

/** Change with the recipe. */
const REVISION = 1;
const LIST = 'etc/apt/sources.list';

/** Answers the image's root. */
export async function ensureCloudImage({ root: stock }: BaseImage): Promise<string> {
  const name = path.basename(path.dirname(stock));
  const folder = await ensureArtifact(
    `${name}-cloud-init-${REVISION}`,
    'adding cloud-init to the Debian image of the lab',
    (target) => build(stock, path.join(target, 'root')),
  );
  return path.join(folder, 'root');
}

async function build(stock: string, root: string): Promise<void> {
  const own = (file: string): string => path.join(root, file);
  const apt = (...words: string[]): Promise<string> =>
    run('chroot', [root, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-q', ...words]);
  await run('cp', ['-a', stock, root]);
  const packages = await readFile(own(LIST), 'utf8');
  await writeFile(own(LIST), `deb ${await debianMirror()} ${SUITE} main\n`);
  await writeFile(own('etc/resolv.conf'), await readFile('/etc/resolv.conf'));
  await apt('update');
  await apt('install', '-y', '--no-install-recommends', 'cloud-init', 'e2fsprogs', 'util-linux');
  await apt('clean');
  await run('sh', ['-c', 'rm -rf "$1"/var/lib/apt/lists/* "$1"/etc/ssh/ssh_host_*', 'sh', root]);
  await rm(own('var/lib/cloud'), { recursive: true, force: true });
  await writeFile(own(LIST), packages);
  await writeFile(own('etc/resolv.conf'), '');
  await writeFile(own('etc/machine-id'), 'uninitialized\n');
  await writeFile(
    own('etc/cloud/cloud.cfg.d/99-lab.cfg'),
    'datasource_list: [NoCloud]\nnetwork: {config: disabled}\n',
  );
}
