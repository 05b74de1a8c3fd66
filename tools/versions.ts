/** Every version that the toolchain pins, in one place. A change here rebuilds what depends on it. */
export const VERSIONS = {
  /** Engine and SDK alike; from 3.249 on the SDK asks for Node 22. */
  pulumi: '3.246.0',
  /** Last published module that carries the Node language host; runs today's SDK under today's engine. */
  pulumiLanguageHostModule: '3.66.0',
  /** Provider plugins, the same versions as their npm packages. */
  plugins: { command: '1.2.1', random: '4.21.2' },
  /** The vendors' plugins whose types the emulated ones have; their npm packages' versions. */
  emulatedAws: '7.48.0',
  emulatedCloudflare: '6.22.1',
  moto: '5.2.5',
  versitygw: '1.8.0',
  restic: '0.18.0',
  actionlint: '1.7.12',
} as const;

export type PluginName = keyof typeof VERSIONS.plugins;
