/** What must never happen, whatever the world does; and that somebody serves in the end. */
import type { Lease } from '../../../infra/contract/agent-api';
import type { Action } from '../model';

export class InvariantBrokenError extends Error {
  readonly code = 'INVARIANT_BROKEN';
  constructor(
    readonly rule: string,
    detail: string,
  ) {
    super(`${rule}: ${detail}`);
    this.name = 'InvariantBrokenError';
  }
}

export function broken(rule: string, detail: string): never {
  throw new InvariantBrokenError(rule, detail);
}

/**
 * Watches the lease object: the epoch grows by one at each change of holder, and at no other time; except that a person
 * who accepts the loss may begin a new epoch at the site that the lease names but that does not know of it.
 */
export function checkLeaseChange(before: Lease | null, after: Lease, accepted: boolean, now: number): void {
  const told = `at ${now}: ${before?.epoch ?? 0} ${before?.holder ?? 'nobody'} → ${after.epoch} ${after.holder}`;
  if (before === null) {
    if (after.epoch !== 1) broken('epoch starts at one', told);
  } else if (after.holder === before.holder && !accepted) {
    if (after.epoch !== before.epoch) broken('epoch changes with the holder only', told);
  } else if (after.epoch !== before.epoch + 1) {
    broken('epoch grows by one', told);
  }
}

/** While a restarted engine has its chance, its site hands over to nobody by itself. */
export function checkPatience(site: string, actions: readonly Action[], now: number): void {
  const decided = actions.some(
    (action) =>
      action.type === 'emit' && /^handover-sick/.test(action.detail) && action.kind === 'handover-decided',
  );
  if (decided) broken('a hand-over waits for a restarted engine', `${site} decides at ${now}`);
}

/** Watches acknowledged writes: none by an earlier holder once a later one has acknowledged. */
export class Acknowledgements {
  readonly ids: { readonly id: number; readonly epoch: number }[] = [];
  private highest = 0;

  add(id: number, epoch: number, site: string, now: number): void {
    if (epoch < this.highest) {
      broken(
        'no acknowledgement after a later epoch',
        `${site} acknowledged under ${epoch} after ${this.highest} at ${now}`,
      );
    }
    this.highest = epoch;
    this.ids.push({ id, epoch });
  }
}
