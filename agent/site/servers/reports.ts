/** What the other servers of a site say of themselves, as its leader heard it. One that has not said so lately says nothing. */
import {
  CANARY_PARTS,
  type CanaryPart,
  type Health,
  type StandingRequest,
} from '../../../infra/contract/agent-api';
import type { SiteClock } from '../ports';

export class ServerReports {
  private readonly heard = new Map<string, { readonly report: StandingRequest; readonly atMs: number }>();

  constructor(
    private readonly clock: Pick<SiteClock, 'monotonicMs'>,
    private readonly freshMs: number,
  ) {}

  note(report: StandingRequest): void {
    this.heard.set(report.server, { report, atMs: this.clock.monotonicMs() });
  }

  /** A server that is well in this part, or null. */
  wellIn(part: CanaryPart): string | null {
    const oldest = this.clock.monotonicMs() - this.freshMs;
    for (const { report, atMs } of this.heard.values()) {
      if (atMs >= oldest && report.canary[part] === 'healthy') return report.server;
    }
    return null;
  }

  /** Every server of these, with what it last said; unknown in all parts when that was too long ago. */
  of(servers: readonly string[]): { server: string; canary: Record<CanaryPart, Health> }[] {
    const oldest = this.clock.monotonicMs() - this.freshMs;
    return servers.map((server) => {
      const found = this.heard.get(server);
      const fresh = found !== undefined && found.atMs >= oldest ? found.report.canary : undefined;
      const canary = Object.fromEntries(
        CANARY_PARTS.map((part) => [part, fresh?.[part] ?? 'unknown']),
      ) as Record<CanaryPart, Health>;
      return { server, canary };
    });
  }
}
