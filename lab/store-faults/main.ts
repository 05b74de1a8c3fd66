/** The process of the store's proxy: `main.ts OPTIONS.json`. Waits for the port to be free, then says that it listens. */
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { StoreProxy, faultsIn } from './proxy';

export interface ProxyCommand {
  readonly host: string;
  readonly port: number;
  readonly upstreamPort: number;
  readonly certificateFile: string;
  readonly keyFile: string;
  readonly authorityFile: string;
  readonly faultsFile: string;
  /** Written once it listens. */
  readonly readyFile: string;
}

async function main(): Promise<void> {
  const command = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as ProxyCommand;
  const proxy = new StoreProxy({
    host: command.host,
    upstreamPort: command.upstreamPort,
    certificate: readFileSync(command.certificateFile, 'utf8'),
    key: readFileSync(command.keyFile, 'utf8'),
    authority: readFileSync(command.authorityFile, 'utf8'),
    faults: () => faultsIn(command.faultsFile),
  });
  for (;;) {
    const busy = await listen(proxy, command.port);
    if (!busy) break;
    await delay(20);
  }
  writeFileSync(command.readyFile, String(process.pid));
}

/** Answers whether the port is still somebody else's. */
function listen(proxy: StoreProxy, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = proxy.server();
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(true) : reject(error),
    );
    server.listen(port, '0.0.0.0', () => resolve(false));
  });
}

main().catch((error: unknown) => {
  process.stderr.write(`store proxy: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
