/** Which records have to change so that a name has just a site's addresses. */
import { AgentError } from '../../shared/errors';

export class RecordCountError extends AgentError {
  readonly code = 'DNS_RECORD_COUNT';
}

export interface RecordLike {
  readonly id: string;
  readonly content: string;
}

export interface Move<Record extends RecordLike> {
  readonly record: Record;
  readonly to: string;
}

/**
 * Records are moved, never made or removed: they are the deployment's, which would put back what it misses.
 *
 * @throws RecordCountError when there are not as many records as addresses
 */
export function movesTo<Record extends RecordLike>(
  name: string,
  records: readonly Record[],
  addresses: readonly string[],
): readonly Move<Record>[] {
  if (records.length !== addresses.length)
    throw new RecordCountError(
      `${name} has ${records.length} A records and this site has ${addresses.length} addresses. ` +
        'Deploy the stack that holds the records; all sites need equally many addresses.',
    );
  const shown = new Set(records.map(({ content }) => content));
  const missing = addresses.filter((address) => !shown.has(address));
  const wrong = records.filter(({ content }) => !addresses.includes(content));
  return wrong.flatMap((record, index) => {
    const to = missing[index];
    return to === undefined ? [] : [{ record, to }];
  });
}
