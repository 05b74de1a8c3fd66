/** What a drill is given, and what comes of it. */
import type { LookupFunction } from 'node:net';
import type { OperatorContext } from '../cli/context';
import type { LeaseReader } from '../cli/lease-store';
import type { SitePort } from '../cli/site-client';
import type { DrillClock } from './clock';
import type { RuntimeLaunch } from './clients/runtimes/launch';
import type { FaultPort } from './fault';
import type { Progress } from './progress';
import type { DrillRecord } from './record';
import type { Scenario } from './scenarios';

export interface DrillOptions {
  readonly scenario: Scenario;
  readonly failback: boolean;
  /** After the failback, bring back what only the lost holder had; default true. */
  readonly merge?: boolean;
  readonly by: string;
  readonly points: number;
  readonly baselineSeconds: number;
  readonly sustainSeconds: number;
  readonly maxOutageSeconds: number;
  readonly syncSeconds: number;
  readonly failbackWaitSeconds: number;
  readonly periodMs: number;
  readonly writePeriodMs: number;
  readonly timeoutMs: number;
  /** Clients in other runtimes, beside the drill's own. */
  readonly runtimes?: readonly RuntimeLaunch[];
  /** In mode manual the drill plays the person on call, this long after the fault; null waits for a real one. */
  readonly decideAfterSeconds: number | null;
  /** How long a fault stands that must not lead to a switch; default: the longest that a switch is predicted to take. */
  readonly standSeconds?: number;
  /** How often sites and nameservers are looked at; the tests look more often. */
  readonly statusPeriodMs?: number;
  readonly dnsPeriodMs?: number;
}

export interface DrillPorts {
  readonly context: OperatorContext;
  readonly sites: readonly SitePort[];
  readonly leases: LeaseReader;
  /** Absent in production: then only a planned switch may be drilled. */
  readonly fault: FaultPort | null;
  readonly clock: DrillClock;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  readonly lookup?: LookupFunction;
}

export interface DrillResult {
  readonly record: DrillRecord;
  /** What ended it early, or null. */
  readonly error: unknown;
}
