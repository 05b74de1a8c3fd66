/** One server of the lab booted as EC2 boots an instance: user data, a blank data volume, and no key of anybody. */
import { mkdir, rm, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { run } from '../../tools/run';
import { ensureBaseImage } from '../base-image';
import { makeDisk, powerOn, type Mount } from '../machine';
import { LAB_FOLDER, type Names, type Server } from '../names';
import { ensureServerNetwork, resolverText } from '../network';
import { ensureCloudImage } from './cloud-image';

const SEED = 'var/lib/cloud/seed/nocloud';
const VOLUME_BYTES = 1024 ** 3;

export interface CloudServerOptions {
  readonly names: Names;
  readonly server: Server;
  readonly userData: string;
  readonly mounts: readonly Mount[];
  /** The loop device that stands for the data volume, and its name on the server. */
  readonly volume: { readonly device: string; readonly attachedAs: string };
}

export async function bootCloudServer(options: CloudServerOptions): Promise<void> {
  const { names, server, userData, mounts, volume } = options;
  const root = await ensureCloudImage(await ensureBaseImage());
  await ensureServerNetwork(names, server);
  const text = (content: string) => ({ text: content, mode: 0o644 });
  await makeDisk(
    server,
    new Map([
      ['etc/resolv.conf', text(resolverText(names, ['witness']))],
      [`${SEED}/meta-data`, text(`instance-id: i-0lab\nlocal-hostname: ${server.name}\n`)],
      [`${SEED}/user-data`, text(userData)],
      // Masked: the address is the lab's work, so it would wait its 2 minutes for nothing.
      ['etc/systemd/system/systemd-networkd-wait-online.service', text('')],
    ]),
  );
  // Under its own name too: mount looks for the UUID among the disks that /proc/partitions names.
  const disks = [volume.attachedAs, volume.device].map((to) => ({ from: volume.device, to, writable: true }));
  await powerOn(names, server, root, [...mounts, ...disks]);
}

export async function attachVolume(): Promise<string> {
  const image = path.join(LAB_FOLDER, 'data-volume');
  await mkdir(LAB_FOLDER, { recursive: true });
  await rm(image, { force: true });
  await writeFile(image, '');
  await truncate(image, VOLUME_BYTES);
  return (await run('losetup', ['--find', '--show', image])).trim();
}

/** After the server: the kernel lets go of it when nothing has it mounted any more. */
export async function detachVolume(device: string): Promise<void> {
  await run('losetup', ['--detach', device]);
}
