import { spawn } from 'node:child_process';
import { STORE } from '../settings';

/** Debian's rclone with its defaults, told of the store by its environment. */
export async function rclone(words: readonly string[], endpoint: string): Promise<void> {
  const child = spawn('rclone', [...words], {
    env: {
      PATH: process.env['PATH'],
      HOME: '/nonexistent',
      RCLONE_CONFIG: '/dev/null',
      RCLONE_S3_PROVIDER: 'Other',
      RCLONE_S3_ENDPOINT: endpoint,
      RCLONE_S3_REGION: STORE.region,
      RCLONE_S3_ACCESS_KEY_ID: STORE.accessKey,
      RCLONE_S3_SECRET_ACCESS_KEY: STORE.secretKey,
      RCLONE_S3_NO_CHECK_BUCKET: 'true',
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (status !== 0)
    throw new Error(`rclone ${words.join(' ')} ended with status ${status}: ${said.slice(-2000)}`);
}
