/** moto and an instance's metadata service, in the network namespace that this process is started in, until its stdin ends. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { startMoto } from '../../tools/artifacts/moto';

const METADATA = '169.254.169.254';
const TOKEN = 'imds-token';
const ROLE = '/latest/meta-data/iam/security-credentials/';

/** IMDSv2 alone. */
function metadata({ method, url, headers }: IncomingMessage, response: ServerResponse): void {
  const tell = (status: number, text = ''): void => void response.writeHead(status).end(text);
  if (url === '/latest/api/token')
    return tell(
      method === 'PUT' && headers['x-aws-ec2-metadata-token-ttl-seconds'] !== undefined ? 200 : 400,
      TOKEN,
    );
  if (headers['x-aws-ec2-metadata-token'] !== TOKEN) return tell(401);
  if (url === ROLE) return tell(200, 'servers');
  if (url !== `${ROLE}servers`) return tell(404);
  const keys = {
    AccessKeyId: 'ASIALABSERVERROLE000',
    SecretAccessKey: 'role/secret+key==',
    Token: 'a+b/c==',
  };
  const Expiration = new Date(Date.now() + 3_600_000).toISOString();
  tell(200, JSON.stringify({ Code: 'Success', Type: 'AWS-HMAC', ...keys, Expiration }));
}

async function main(address = '', port = ''): Promise<void> {
  const server = createServer(metadata).listen(80, METADATA);
  await once(server, 'listening');
  const moto = await startMoto({ address, port: Number(port) });
  process.stdout.write(`${moto.python}\n`);
  await once(process.stdin.resume(), 'end');
  server.close().closeAllConnections();
  await moto.stop();
}

main(...process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`);
  process.exitCode = 1;
});
