/** What is going to happen, in order of true time; things due at the same time happen in the order they were entered. */
interface Entry {
  readonly at: number;
  readonly order: number;
  readonly action: () => void;
}

export class Agenda {
  now = 0;
  private readonly heap: Entry[] = [];
  private entered = 0;

  at(time: number, action: () => void): void {
    this.entered += 1;
    this.heap.push({ at: Math.max(time, this.now), order: this.entered, action });
    this.up(this.heap.length - 1);
  }

  after(delay: number, action: () => void): void {
    this.at(this.now + delay, action);
  }

  /** Runs everything due until `end`, calling `check` after each. */
  runUntil(end: number, check: () => void): void {
    for (;;) {
      const first = this.heap[0];
      if (first === undefined || first.at > end) break;
      this.pop();
      this.now = first.at;
      first.action();
      check();
    }
    this.now = end;
  }

  private pop(): void {
    const last = this.heap.pop();
    if (last === undefined || this.heap.length === 0) return;
    this.heap[0] = last;
    this.down(0);
  }

  private up(index: number): void {
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.before(index, parent)) return;
      this.swap(index, parent);
      index = parent;
    }
  }

  private down(index: number): void {
    for (;;) {
      let least = index;
      for (const child of [2 * index + 1, 2 * index + 2]) {
        if (child < this.heap.length && this.before(child, least)) least = child;
      }
      if (least === index) return;
      this.swap(index, least);
      index = least;
    }
  }

  private before(a: number, b: number): boolean {
    const [x, y] = [this.heap[a], this.heap[b]];
    if (x === undefined || y === undefined) return false;
    return x.at < y.at || (x.at === y.at && x.order < y.order);
  }

  private swap(a: number, b: number): void {
    const [x, y] = [this.heap[a], this.heap[b]];
    if (x === undefined || y === undefined) return;
    this.heap[a] = y;
    this.heap[b] = x;
  }
}
