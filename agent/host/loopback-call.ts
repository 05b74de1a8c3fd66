import * as http from 'node:http';

/** Publishing a large store takes a while; the agent bounds its own steps. */
const TIMEOUT_MS = 6 * 3600 * 1000;

/** One request to the agent on this server. */
export function callLoopback(
  port: number,
  method: string,
  path: string,
  key: string,
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const request = http.request(
      {
        host: '127.0.0.1',
        port,
        method,
        path,
        headers: { authorization: `Bearer ${key}` },
        timeout: TIMEOUT_MS,
      },
      (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (text: string) => (body += text));
        response.on('error', reject);
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      },
    );
    request.on('timeout', () => request.destroy(new Error('the agent did not answer within six hours')));
    request.on('error', reject);
    request.end();
  });
}
