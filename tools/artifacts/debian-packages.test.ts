import { CommandFailedError } from '../run';
import { ensureDebianPackages, missingPackages, type PackagePorts } from './debian-packages';

function ports(over: Partial<PackagePorts> = {}): PackagePorts & { readonly installed: string[][] } {
  const installed: string[][] = [];
  return {
    installed,
    query: async () => 'nftables installed\nhaproxy config-files\n',
    install: async (args) => void installed.push([...args]),
    isRoot: () => true,
    ...over,
  };
}

describe('ensureDebianPackages', () => {
  it('counts a package that was removed but left its configuration as missing', () => {
    expect(
      missingPackages(['nftables', 'haproxy', 'knot'], 'nftables installed\nhaproxy config-files\n'),
    ).toEqual(['haproxy', 'knot']);
  });

  it('installs only what is missing', async () => {
    const machine = ports();
    await ensureDebianPackages(['nftables', 'haproxy'], machine);
    expect(machine.installed.at(-1)).toEqual(['install', '-y', '-q', '--no-install-recommends', 'haproxy']);
  });

  it('does nothing where nothing is missing', async () => {
    const machine = ports();
    await ensureDebianPackages(['nftables'], machine);
    expect(machine.installed).toEqual([]);
  });

  it('says the command to run when it is not root, or when apt-get fails', async () => {
    const advice = /Run: sudo apt-get install haproxy$/;
    await expect(ensureDebianPackages(['haproxy'], ports({ isRoot: () => false }))).rejects.toThrow(advice);
    const install = async (): Promise<void> => {
      throw new CommandFailedError('apt-get', 100, 'no network');
    };
    await expect(ensureDebianPackages(['haproxy'], ports({ install }))).rejects.toThrow(advice);
  });
});
