/**
 * Faults that strike a site agent at a named step. Lives in the agent's process; told what to do by the drill. A kill is
 * the process's own SIGKILL, sent from within the step: nothing of the agent runs between the step and its death.
 */
import { writeFileSync } from 'node:fs';

export interface StepFault {
  readonly step: string;
  /** How many times the step has to be reached; 1 is the first. */
  readonly nth: number;
  /** Counting begins once this step has been reached; absent: at once. */
  readonly after?: string;
  /** `hold` stands still at the step until it is released. */
  readonly action: 'kill' | 'hold';
}

export class StepFaults {
  private armed: StepFault | null = null;
  private seen = 0;
  private waitsFor: string | null = null;
  private resume: (() => void) | null = null;

  constructor(
    /** File that says which step was hit; written before the process dies. */
    private readonly hitFile: string,
    private readonly held: (step: string) => void,
  ) {}

  arm(fault: StepFault): void {
    this.armed = fault;
    this.seen = 0;
    this.waitsFor = fault.after ?? null;
  }

  release(): void {
    this.armed = null;
    this.resume?.();
    this.resume = null;
  }

  /** The agent is at this step. */
  async reach(step: string): Promise<void> {
    if (!this.strikes(step)) return;
    await new Promise<void>((resolve) => {
      this.resume = resolve;
      this.held(step);
    });
  }

  /** For steps at which nobody can wait: only a kill strikes there. */
  pass(step: string): void {
    this.strikes(step);
  }

  private strikes(step: string): boolean {
    const fault = this.armed;
    if (fault === null) return false;
    if (this.waitsFor !== null) {
      if (step === this.waitsFor) this.waitsFor = null;
      return false;
    }
    if (step !== fault.step) return false;
    this.seen += 1;
    if (this.seen < fault.nth) return false;
    this.armed = null;
    writeFileSync(this.hitFile, step);
    if (fault.action === 'kill') process.kill(process.pid, 'SIGKILL');
    return fault.action === 'hold';
  }
}
