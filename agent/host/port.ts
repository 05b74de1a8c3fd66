/**
 * What converging needs from a server. The real one is thin (`real-host.ts`); tests use `memory-host.ts`, so that
 * every decision about files, units and packages can be tried without root.
 */

export interface RunOptions {
  readonly stdin?: string;
  /** Added to a minimal environment. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly timeoutSeconds?: number;
  /** Run as this system user. */
  readonly user?: string;
}

export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface FileInfo {
  readonly kind: 'file' | 'directory' | 'symlink' | 'other';
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface FileOwner {
  readonly uid: number;
  readonly gid: number;
}

/** A listening socket and the process that has it. */
export interface Listener {
  readonly protocol: 'tcp' | 'udp';
  readonly address: string;
  readonly port: number;
  readonly pid: number | null;
  readonly command: string | null;
  /** systemd unit of the process, where there is one. */
  readonly unit: string | null;
}

export interface HttpRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly timeoutSeconds: number;
}

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

export interface HostPort {
  /** null when there is no such file. */
  readFile(path: string): Promise<Buffer | null>;
  stat(path: string): Promise<FileInfo | null>;
  /** To a temporary name beside it, synced, renamed over it, folder synced. */
  writeFile(path: string, content: Buffer, mode: number, owner?: FileOwner): Promise<void>;
  makeDirectory(path: string): Promise<void>;
  setAttributes(path: string, mode: number, owner: FileOwner): Promise<void>;
  makeSymlink(path: string, target: string): Promise<void>;
  readSymlink(path: string): Promise<string>;
  rename(from: string, to: string): Promise<void>;
  removeFile(path: string): Promise<void>;
  /** False when it still holds something. */
  removeEmptyDirectory(path: string): Promise<boolean>;
  removeTree(path: string): Promise<void>;
  listDirectory(path: string): Promise<string[]>;
  /** SHA-256 in lower-case hex; null when there is no such file. Follows symlinks. */
  sha256(path: string): Promise<string | null>;
  freeBytes(path: string): Promise<number>;
  /** Never throws for a non-zero exit status: callers decide what it means. */
  run(command: string, args: readonly string[], options?: RunOptions): Promise<RunResult>;
  listeners(): Promise<Listener[]>;
  /** Addresses of this server's own interfaces. */
  localAddresses(): Promise<string[]>;
  /** Sends one line to a UNIX socket; what is answered until the other side closes. Rejects after five seconds. */
  askSocket(path: string, line: string): Promise<string>;
  http(url: string, request: HttpRequest): Promise<HttpAnswer>;
  download(url: string, path: string, mode: number): Promise<void>;
  /** Asks one server over UDP; rejects when there is no answer within two seconds. */
  queryDns(server: string, name: string, type: 'SOA' | 'A'): Promise<{ rcode: string; answers: number }>;
  /** Monotonic. */
  nowSeconds(): number;
  sleep(seconds: number): Promise<void>;
  environment(name: string): string | undefined;
}
