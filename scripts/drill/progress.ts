/** One line a phase, and on a terminal a status line that ticks below it. */

export interface Progress {
  phase(text: string): void;
  tick(text: string): void;
  end(): void;
}

export class TerminalProgress implements Progress {
  private ticking = false;

  constructor(private readonly stream: NodeJS.WriteStream) {}

  phase(text: string): void {
    this.clear();
    this.stream.write(`${new Date().toISOString().slice(11, 19)}  ${text}\n`);
  }

  tick(text: string): void {
    if (!this.stream.isTTY) return;
    const width = this.stream.columns ?? 80;
    this.stream.write(`\r\x1b[2K${text.slice(0, width - 1)}`);
    this.ticking = true;
  }

  end(): void {
    this.clear();
  }

  private clear(): void {
    if (this.ticking) this.stream.write('\r\x1b[2K');
    this.ticking = false;
  }
}
