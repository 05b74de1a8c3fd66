/**
 * GPU instance types of EC2, smallest memory first.
 * @source AWS's instance type pages (g4dn, g5, g6, g6e, p4d, p5), read in November 2026
 */
const GPU_MEMORY_GIB: Readonly<Record<string, number>> = {
  'g4dn.xlarge': 16,
  'g4dn.2xlarge': 16,
  'g6.xlarge': 24,
  'g6.2xlarge': 24,
  'g5.xlarge': 24,
  'g5.2xlarge': 24,
  'g6e.xlarge': 48,
  'g6e.2xlarge': 48,
  'g4dn.12xlarge': 64,
  'g6.12xlarge': 96,
  'g5.12xlarge': 96,
  'g6e.12xlarge': 192,
  'g6.48xlarge': 192,
  'g5.48xlarge': 192,
  'p4d.24xlarge': 320,
  'g6e.48xlarge': 384,
  'p5.48xlarge': 640,
};

/** Weights need room beside them for the cache of keys and values; vLLM takes nine tenths of the memory by default. */
const ROOM = 1.2;

/** Types whose GPUs together hold weights of this size, smallest first. */
export function gpuTypesFor(modelGib: number): string[] {
  return Object.entries(GPU_MEMORY_GIB)
    .filter(([, memory]) => memory >= modelGib * ROOM)
    .map(([type]) => type);
}

export const isGpuType = (type: string): boolean => type in GPU_MEMORY_GIB;
