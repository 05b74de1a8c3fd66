import type { HostPort } from '../port';

/** A list that a running HAProxy can exchange: the file on disk, and the name under which HAProxy read it at its start. */
export interface LiveList {
  readonly kind: 'acl' | 'map';
  readonly file: string;
  readonly name: string;
}

/**
 * Exchanges a list in the running HAProxy, all lines in one step: no worker starts or ends, so no response is touched.
 * Answers null, or why it could not be, without any line of the list.
 */
export async function replaceList(
  host: Pick<HostPort, 'askSocket' | 'readFile'>,
  socket: string,
  { kind, file, name }: LiveList,
): Promise<string | null> {
  const lines = ((await host.readFile(file))?.toString('utf8') ?? '').split('\n').filter(Boolean);
  if (lines.length === 0) return `${file} is empty`;
  const ask = async (command: string): Promise<string> => (await host.askSocket(socket, command)).trim();
  try {
    const version = /^New version created: (\d+)/.exec(await ask(`prepare ${kind} ${name}`))?.[1];
    if (version === undefined) return `HAProxy knows no ${kind} ${name}`;
    for (const line of lines) {
      // Of a map the value is an argument of its own.
      const entry = kind === 'map' ? line.split(' ').map(escape).join(' ') : escape(line);
      if ((await ask(`add ${kind} @${version} ${name} ${entry}`)) !== '')
        return `HAProxy refused a line of ${file}`;
    }
    return (await ask(`commit ${kind} @${version} ${name}`)) === ''
      ? null
      : `HAProxy refused to commit ${name}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Blanks, semicolons and backslashes mean something in a command. */
const escape = (text: string): string => text.replace(/[^A-Za-z0-9]/g, '\\$&');
