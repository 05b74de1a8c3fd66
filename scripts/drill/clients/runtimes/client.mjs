/**
 * A client as a Node program has it: the built-in fetch with its own pool and resolver, nothing set. How a drill
 * talks with it is told in runtime-client.ts.
 */
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { clearInterval, setInterval } from 'node:timers';

const { AbortSignal, fetch } = globalThis;
const { DRILL_URL: url, DRILL_BODY: body } = process.env;
const periodMs = Number(process.env.DRILL_PERIOD_MS);
const timeoutMs = Number(process.env.DRILL_TIMEOUT_MS);
const maxInFlight = Math.ceil(timeoutMs / periodMs) + 1;

let inFlight = 0;
let seq = 0;

function tell(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function describe(error) {
  if (error.name === 'TimeoutError') return `TIMEOUT: no answer within ${timeoutMs} ms`;
  const cause = error.cause ?? error;
  return `${cause.code ?? cause.name}: ${cause.message || error.message}`;
}

async function ask(key) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body,
    signal: AbortSignal.timeout(timeoutMs),
  });
  const text = await response.text();
  const answer = { status: response.status, site: response.headers.get('x-failover-site') };
  if (response.status !== 200)
    return { ...answer, ok: false, error: `${response.status}: ${text.slice(0, 200)}` };
  const ok = Array.isArray(JSON.parse(text).choices);
  return { ...answer, ok, error: ok ? null : 'the answer has no choices' };
}

async function attempt(key, now) {
  if (inFlight >= maxInFlight) return;
  const own = { seq: seq++, start: now() };
  inFlight += 1;
  tell(own);
  const outcome = await ask(key).catch((error) => ({
    ok: false,
    status: null,
    site: null,
    error: describe(error),
  }));
  inFlight -= 1;
  tell({ ...own, end: now(), ...outcome });
}

const lines = createInterface({ input: process.stdin });
const told = [];
let beat;
lines.on('line', (line) => {
  told.push(line);
  if (told.length !== 2) return;
  const [key, clock] = told;
  const offset = Number(clock) - performance.now();
  const now = () => offset + performance.now();
  beat = setInterval(() => attempt(key, now), periodMs);
  attempt(key, now);
});
// Requests on their way are waited for: they keep the process alive, and each ends at its deadline.
lines.on('close', () => clearInterval(beat));
tell({ ready: `Node.js ${process.versions.node}` });
