/** One thing that a person should be told. */
import type { AlertSeverity } from '../../../infra/contract/agent-api';

export interface Condition {
  /** One alert for each, however often it is seen. */
  readonly key: string;
  readonly severity: AlertSeverity;
  readonly summary: string;
  readonly detail: string;
  /** Told only when it has lasted for so long. */
  readonly afterSeconds: number;
}

export function now(key: string, severity: AlertSeverity, summary: string, detail: string): Condition {
  return { key, severity, summary, detail, afterSeconds: 0 };
}
