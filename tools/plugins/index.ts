import type { Engine } from '../engine';

export async function ensurePlugins(_engine: Engine): Promise<void> {}
