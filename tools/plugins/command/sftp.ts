/** The few SFTP calls that copying needs, as promises. */
import type { Client, SFTPWrapper } from 'ssh2';

export interface RemoteFiles {
  /** Undefined where nothing is at the path. */
  kind(path: string): Promise<'file' | 'directory' | undefined>;
  makeDirectory(path: string): Promise<void>;
  makeDirectories(path: string): Promise<void>;
  upload(local: string, remote: string): Promise<void>;
  write(remote: string, content: Buffer): Promise<void>;
}

const NO_SUCH_FILE = 2;

export async function openSftp(client: Client): Promise<RemoteFiles> {
  const sftp = await new Promise<SFTPWrapper>((resolve, reject) =>
    client.sftp((error, opened) => (error === undefined ? resolve(opened) : reject(error))),
  );
  const call = async (what: string, start: (done: (error?: Error | null) => void) => void): Promise<void> =>
    new Promise((resolve, reject) =>
      start((error) => {
        if (error === undefined || error === null) resolve();
        else reject(new Error(`failed to ${what}: ${error.message}`));
      }),
    );

  const files: RemoteFiles = {
    kind: (path) =>
      new Promise((resolve, reject) =>
        sftp.stat(path, (error, stats) => {
          if (error === undefined) resolve(stats.isDirectory() ? 'directory' : 'file');
          else if ((error as { code?: unknown }).code === NO_SUCH_FILE) resolve(undefined);
          else reject(new Error(`failed to stat remote path ${path}: ${error.message}`));
        }),
      ),
    makeDirectory: (path) => call(`create remote directory ${path}`, (done) => sftp.mkdir(path, done)),
    async makeDirectories(path) {
      const kind = await files.kind(path);
      if (kind === 'directory') return;
      if (kind === 'file') throw new Error(`failed to create remote directory ${path}: it is a file`);
      const parent = path.replace(/\/+$/, '').split('/').slice(0, -1).join('/');
      if (parent !== '') await files.makeDirectories(parent);
      await files.makeDirectory(path);
    },
    upload: (local, remote) =>
      call(`copy file ${local} to remote path ${remote}`, (done) => sftp.fastPut(local, remote, done)),
    async write(remote, content) {
      const handle = await new Promise<Buffer>((resolve, reject) =>
        sftp.open(remote, 'w', (error, opened) =>
          error === undefined
            ? resolve(opened)
            : reject(new Error(`failed to create remote file ${remote}: ${error.message}`)),
        ),
      );
      if (content.length > 0) {
        await call(`write to remote path ${remote}`, (done) =>
          sftp.write(handle, content, 0, content.length, 0, done),
        );
      }
      await call(`close ${remote}`, (done) => sftp.close(handle, done));
    },
  };
  return files;
}
