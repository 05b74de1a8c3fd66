/**
 * Six one-way links between two sites and the witness. A message over a cut link is lost, or arrives after the cut as a
 * retransmission does; on a slow link it takes up to several TTLs; now and then one is lost or delivered twice.
 */
import type { Agenda } from './agenda';
import type { Random } from './random';

export type Place = 'a' | 'b' | 'w';
export type Link = `${Place}>${Place}`;
export const LINKS: readonly Link[] = ['a>w', 'w>a', 'b>w', 'w>b', 'a>b', 'b>a'];

export class Network {
  private readonly cutUntil = new Map<Link, number>();
  private readonly slowUntil = new Map<Link, number>();
  private healed = false;

  constructor(
    private readonly agenda: Agenda,
    private readonly random: Random,
    private readonly slowestMs: number,
  ) {}

  cut(links: readonly Link[], ms: number): void {
    for (const link of links) this.extend(this.cutUntil, link, ms);
  }

  slow(links: readonly Link[], ms: number): void {
    for (const link of links) this.extend(this.slowUntil, link, ms);
  }

  /** From here on every message arrives soon; those on their way still arrive when they do. */
  heal(): void {
    this.healed = true;
    this.cutUntil.clear();
    this.slowUntil.clear();
  }

  reaches(link: Link): boolean {
    return (this.cutUntil.get(link) ?? 0) <= this.agenda.now;
  }

  send(link: Link, deliver: () => void): void {
    const { random, agenda } = this;
    const cutUntil = this.cutUntil.get(link) ?? 0;
    if (cutUntil > agenda.now) {
      if (random.chance(0.5)) agenda.at(cutUntil + random.between(1, 200), deliver);
      return;
    }
    const slow = (this.slowUntil.get(link) ?? 0) > agenda.now;
    if (!this.healed && random.chance(slow ? 0.2 : 0.005)) return;
    const delay = slow && random.chance(0.6) ? random.between(20, this.slowestMs) : random.between(1, 15);
    agenda.after(delay, deliver);
    if (!this.healed && random.chance(slow ? 0.2 : 0.01)) {
      agenda.after(delay + random.between(0, this.slowestMs), deliver);
    }
  }

  private extend(map: Map<Link, number>, link: Link, ms: number): void {
    map.set(link, Math.max(map.get(link) ?? 0, this.agenda.now + ms));
  }
}
