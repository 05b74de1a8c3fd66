/** The requests that clients send, and what counts as an answer to them. */
import { EPOCH_HEADER, SITE_HEADER } from '../../../infra/contract/agent-api';
import { parseJson } from '../../cli/context';
import { describe } from '../../cli/errors';
import { NoAnswerError, header, type HttpAnswer, type HttpRequest } from '../../cli/http';
import { DnsFailedError } from '../../cli/dns';
import { vectorFor } from '../vectors';
import type { Outcome } from './loop';

export type Call = Pick<HttpRequest, 'method' | 'path' | 'body'>;

/** A call and the check that its answer is the right one, not just any 200. */
export interface Expectation {
  readonly call: Call;
  /** What is wrong with the answer, or null. */
  readonly wrong: (body: unknown) => string | null;
}

export function completion(modelName: string): Expectation {
  return {
    call: {
      method: 'POST',
      path: '/v1/completions',
      body: { model: modelName, prompt: 'ping', max_tokens: 1, temperature: 0 },
    },
    wrong: (body) =>
      Array.isArray((body as { choices?: unknown } | undefined)?.choices)
        ? null
        : 'the answer has no choices',
  };
}

/** Looks for a seed point's own vector: the point itself must come first. */
export function search(collection: string, knownId: number): Expectation {
  return {
    call: {
      method: 'POST',
      path: `/collections/${collection}/points/search`,
      body: { vector: vectorFor(knownId), limit: 1, with_payload: false },
    },
    wrong: (body) => {
      const first = (body as { result?: { id?: unknown }[] } | undefined)?.result?.[0]?.id;
      return first === knownId
        ? null
        : `expected point ${knownId} first, got ${JSON.stringify(first ?? null)}`;
    },
  };
}

export function readPoint(collection: string, knownId: number): Expectation {
  return {
    call: { method: 'GET', path: `/collections/${collection}/points/${knownId}` },
    wrong: (body) => {
      const id = (body as { result?: { id?: unknown } } | undefined)?.result?.id;
      return id === knownId ? null : `expected point ${knownId}, got ${JSON.stringify(id ?? null)}`;
    },
  };
}

export function writePoint(
  collection: string,
  pointId: number,
  payload: Readonly<Record<string, unknown>>,
): Expectation {
  return {
    call: {
      method: 'PUT',
      path: `/collections/${collection}/points?wait=true`,
      body: { points: [{ id: pointId, vector: vectorFor(pointId), payload }] },
    },
    wrong: (body) => {
      const status = (body as { result?: { status?: unknown } } | undefined)?.result?.status;
      return status === 'completed'
        ? null
        : `expected the write to be completed, got ${JSON.stringify(status ?? null)}`;
    },
  };
}

export async function outcomeOf(expectation: Expectation, send: () => Promise<HttpAnswer>): Promise<Outcome> {
  let answer: HttpAnswer;
  try {
    answer = await send();
  } catch (error) {
    const code = error instanceof NoAnswerError || error instanceof DnsFailedError ? error.code : 'ERROR';
    const where = error instanceof DnsFailedError ? 'dns ' : '';
    return {
      ok: false,
      status: null,
      site: null,
      epoch: null,
      address: null,
      error: `${where}${code}: ${describe(error)}`,
    };
  }
  const epoch = Number(header(answer.headers, EPOCH_HEADER) ?? Number.NaN);
  const base = {
    status: answer.status,
    site: header(answer.headers, SITE_HEADER),
    epoch: Number.isInteger(epoch) ? epoch : null,
    address: answer.address,
  };
  if (answer.status !== 200) {
    const retryAfterSeconds = Number(header(answer.headers, 'retry-after') ?? Number.NaN);
    const error = `${answer.status}: ${answer.body.slice(0, 200)}`;
    return {
      ...base,
      ok: false,
      error,
      ...(Number.isFinite(retryAfterSeconds) ? { retryAfterSeconds } : {}),
    };
  }
  const wrong = expectation.wrong(parseJson(answer.body));
  return { ...base, ok: wrong === null, error: wrong };
}
