/** The shape of the lease object and of its history, checked whenever they come in from outside. */
import { z } from 'zod';
import type { Lease, LeaseHistoryEntry } from '../../infra/contract/agent-api';
import { LeaseCorruptError } from './errors';

export const LeaseSchema = z.object({
  version: z.literal(1),
  epoch: z.number().int().positive(),
  holder: z.string().min(1),
  nonce: z.string().min(1),
  ttlSeconds: z.number().positive(),
  writtenAt: z.string(),
});

export const HistoryEntrySchema = z.object({
  epoch: z.number().int().positive(),
  holder: z.string().min(1),
  previousHolder: z.string().nullable(),
  at: z.string(),
  cause: z.enum(['bootstrap', 'expired', 'handover-sick', 'handover-planned', 'promoted']),
  by: z.string(),
  reason: z.string(),
  dataAgeSeconds: z.number().nullable(),
  acceptedDataLoss: z.object({ by: z.string(), reason: z.string() }).nullable(),
});

export const LEASE_KEY = 'lease.json';
export const HISTORY_PREFIX = 'history/';
export const historyKey = (epoch: number): string =>
  `${HISTORY_PREFIX}${String(epoch).padStart(10, '0')}.json`;

export const encodeLease = (lease: Lease): string => `${JSON.stringify(lease)}\n`;
export const encodeHistory = (entry: LeaseHistoryEntry): string => `${JSON.stringify(entry)}\n`;

export function decodeLease(text: string): Lease {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new LeaseCorruptError(`${text.length} characters that are not JSON`, error);
  }
  const parsed = LeaseSchema.safeParse(json);
  if (!parsed.success) throw new LeaseCorruptError(z.prettifyError(parsed.error).replaceAll('\n', ' '));
  return parsed.data;
}
