import type { Readable } from 'node:stream';

/** Where weights are pulled from. Objects are named by the SHA-256 of what they should hold; whoever reads one checks it. */
export interface WeightsStore {
  /** Null when there is no such object. */
  size(sha256: string): Promise<number | null>;
  /** The object from a byte on. May end early without an error: a connection that breaks can look like its end. */
  open(sha256: string, from: number): Promise<Readable>;
  close(): void;
}
