import * as dgram from 'node:dgram';
import { createWriteStream } from 'node:fs';
import * as http from 'node:http';
import * as https from 'node:https';
import { connect, isIPv6 } from 'node:net';
import { pipeline } from 'node:stream/promises';
import * as dnsPacket from 'dns-packet';
import { DownloadFailedError } from './errors';
import type { HttpAnswer, HttpRequest } from './port';

const MAXIMUM_REDIRECTS = 5;

/** One request to a service of this very server, where a certificate would prove nothing. */
export function askLoopback(url: string, request: HttpRequest): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const options = {
      method: request.method ?? 'GET',
      headers: { ...request.headers },
      timeout: request.timeoutSeconds * 1000,
      rejectUnauthorized: false,
      // A service that restarts must not be asked over a connection to its predecessor.
      agent: false,
    };
    const answered = (response: http.IncomingMessage): void => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => (body += text));
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    };
    const sent = url.startsWith('https:')
      ? https.request(url, options, answered)
      : http.request(url, options, answered);
    sent.on('timeout', () => sent.destroy(new Error(`no answer within ${request.timeoutSeconds} s`)));
    sent.on('error', reject);
    sent.end(request.body);
  });
}

export function askSocket(path: string, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(path);
    const late = setTimeout(() => socket.destroy(new Error(`no answer on ${path} within 5 s`)), 5000);
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => (answer += text));
    socket.on('error', reject);
    socket.on('close', () => {
      clearTimeout(late);
      resolve(answer);
    });
    socket.end(`${line}\n`);
  });
}

export async function fetchTo(url: string, file: string, redirects = MAXIMUM_REDIRECTS): Promise<void> {
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    const get = url.startsWith('https:') ? https.get : http.get;
    const sent = get(url, { timeout: 60_000 }, resolve);
    sent.on('timeout', () => sent.destroy(new Error('no data for 60 s')));
    sent.on('error', reject);
  });
  const status = response.statusCode ?? 0;
  const location = response.headers.location;
  if (status >= 300 && status < 400 && location !== undefined && redirects > 0) {
    response.resume();
    await fetchTo(new URL(location, url).href, file, redirects - 1);
    return;
  }
  if (status !== 200) {
    response.resume();
    throw new DownloadFailedError(
      `${url} answered ${status}: check the address, and that this server may reach it`,
    );
  }
  await pipeline(response, createWriteStream(file, { mode: 0o600 }));
}

export async function queryDns(
  server: string,
  name: string,
  type: 'SOA' | 'A',
): Promise<{ rcode: string; answers: number }> {
  const socket = dgram.createSocket(isIPv6(server) ? 'udp6' : 'udp4');
  const question = dnsPacket.encode({ type: 'query', id: 1, questions: [{ type, name }] });
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`${server} did not answer within 2 s`)), 2000);
      socket.on('error', reject);
      socket.on('message', (message) => {
        const answers = dnsPacket.decode(message).answers ?? [];
        resolve({ rcode: String(message.readUInt8(3) & 0x0f), answers: answers.length });
      });
      socket.send(question, 53, server);
    });
  } finally {
    clearTimeout(timer);
    socket.close();
  }
}
