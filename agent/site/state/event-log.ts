/** The last events of this site, newest last; kept in a file as well, so that a restart does not hide a switch. */
import { appendFile, mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { AgentEvent } from '../../../infra/contract/agent-api';
import { messageOf } from '../errors';
import type { Logger } from '../../shared/logger';
import type { SiteClock } from '../ports';
import { readIfPresent } from './durable-file';

export const EVENTS_KEPT = 200;
const REPEATING: ReadonlySet<AgentEvent['kind']> = new Set(['alert', 'publish-failed', 'apply-failed']);

export class EventLog {
  private readonly kept: AgentEvent[] = [];
  private pending: Promise<void> = Promise.resolve();
  private linesInFile = 0;

  constructor(
    private readonly options: {
      readonly site: string;
      readonly clock: SiteClock;
      readonly logger: Logger;
      readonly epoch: () => number | null;
      readonly path?: string;
    },
  ) {}

  async load(): Promise<void> {
    if (this.options.path === undefined) return;
    const text = (await readIfPresent(this.options.path)) ?? '';
    const lines = text.split('\n').filter((line) => line !== '');
    for (const line of lines.slice(-EVENTS_KEPT)) {
      try {
        this.kept.push(JSON.parse(line) as AgentEvent);
      } catch {
        // A line cut short by a power cut: the rest of the file is still worth reading.
        this.options.logger.warn('skipped an unreadable line of the event file');
      }
    }
    this.linesInFile = lines.length;
  }

  add(kind: AgentEvent['kind'], detail: string): void {
    this.push({
      at: this.options.clock.wallIso(),
      site: this.options.site,
      kind,
      detail,
      epoch: this.options.epoch(),
    });
  }

  push(event: AgentEvent): void {
    this.log(event);
    // A timer that fails the same way every time must not push a switch out of the list.
    if (REPEATING.has(event.kind) && this.isRepeated(event)) return;
    this.kept.push(event);
    if (this.kept.length > EVENTS_KEPT) this.kept.shift();
    this.pending = this.pending.then(() => this.store(event));
  }

  private isRepeated(event: AgentEvent): boolean {
    const before = [...this.kept].reverse().find((kept) => kept.kind === event.kind);
    return before?.detail === event.detail && before.epoch === event.epoch;
  }

  private log(event: AgentEvent): void {
    this.options.logger.info({ event: event.kind, epoch: event.epoch }, event.detail);
  }

  list(): readonly AgentEvent[] {
    return [...this.kept];
  }

  /** Resolves when every event so far has been handed to the file system. */
  flush(): Promise<void> {
    return this.pending;
  }

  private async store(event: AgentEvent): Promise<void> {
    const { path, logger } = this.options;
    if (path === undefined) return;
    try {
      await mkdir(dirname(path), { recursive: true });
      if (this.linesInFile >= EVENTS_KEPT * 4) {
        await writeFile(path, this.kept.map((kept) => JSON.stringify(kept) + '\n').join(''));
        this.linesInFile = this.kept.length;
        return;
      }
      await appendFile(path, JSON.stringify(event) + '\n');
      this.linesInFile += 1;
    } catch (error) {
      // A full disk must not stop a switch; the journal has the event already.
      logger.error({ err: messageOf(error) }, 'cannot write the event file');
    }
  }
}
