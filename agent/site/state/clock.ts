/** This machine's own clock: time since boot, suspensions included, so readings of two processes of one boot compare. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';
import type { SiteClock } from '../ports';

export function siteClock(): SiteClock {
  return {
    bootId: readBootId(),
    monotonicMs: () => uptime() * 1000,
    wallIso: () => new Date().toISOString(),
  };
}

function readBootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    // Without one, ages simply do not outlive the process: they are read from the store again.
    return randomUUID();
  }
}
