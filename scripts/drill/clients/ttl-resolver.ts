/** Looks a name up and keeps the answer exactly as long as its TTL allows: what a well-behaved client does. */
import type { DnsAnswer } from '../../cli/dns';

export class TtlResolver {
  private cached: { readonly addresses: readonly string[]; readonly expiresAt: number } | null = null;
  private pending: Promise<readonly string[]> | null = null;
  private turn = 0;

  /**
   * @param query asks the nameservers; its failure is the caller's failure, an old answer is never used beyond its TTL
   * @param now milliseconds
   */
  constructor(
    private readonly query: () => Promise<DnsAnswer>,
    private readonly now: () => number,
  ) {}

  /** An address of the latest answer; several are taken in turn. */
  async address(): Promise<string> {
    const addresses = await this.addresses();
    const address = addresses[this.turn % addresses.length];
    this.turn += 1;
    if (address === undefined) throw new Error('the nameserver answered without an address');
    return address;
  }

  private async addresses(): Promise<readonly string[]> {
    if (this.cached !== null && this.now() < this.cached.expiresAt) return this.cached.addresses;
    this.pending ??= this.refresh().finally(() => (this.pending = null));
    return this.pending;
  }

  private async refresh(): Promise<readonly string[]> {
    const askedAt = this.now();
    const answer = await this.query();
    // Counted from the asking: the answer may have been made at once and travelled slowly.
    this.cached = { addresses: answer.addresses, expiresAt: askedAt + answer.ttlSeconds * 1000 };
    return answer.addresses;
  }
}
