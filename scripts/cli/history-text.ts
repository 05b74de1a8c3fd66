import type { LeaseHistoryEntry } from '../../infra/contract/agent-api';
import { duration, table } from './table';

export function renderHistory(entries: readonly LeaseHistoryEntry[]): string {
  if (entries.length === 0) return 'The lease has no history yet.';
  return table([
    ['epoch', 'at', 'holder', 'from', 'cause', 'data age', 'by', 'reason'],
    ...entries.map((entry) => [
      String(entry.epoch),
      entry.at,
      entry.holder,
      entry.previousHolder ?? '–',
      entry.cause,
      duration(entry.dataAgeSeconds),
      entry.by,
      entry.acceptedDataLoss === null
        ? entry.reason
        : `${entry.reason} [data loss accepted by ${entry.acceptedDataLoss.by}: ${entry.acceptedDataLoss.reason}]`,
    ]),
  ]);
}
