/** What a site's servers ask of one another; the edge lets nobody else through to these paths. */
import { z } from 'zod';
import { CANARY_PARTS, type StandingRequest, type StandingResponse } from '../../../infra/contract/agent-api';
import { post, type Answer, type Route } from '../api/server';
import { mayServeInference, mayServeVectors, type EdgeFacts } from '../edge-verdicts';

const Health = z.enum(['healthy', 'failing', 'unknown']);
const Standing = z.object({
  server: z.string().min(1),
  canary: z.record(z.enum(CANARY_PARTS), Health),
});
const Promise = z.object({ from: z.string().min(1), term: z.number().int().positive() });

export interface ServerRouteOptions {
  readonly facts: () => EdgeFacts;
  readonly leads: () => boolean;
  readonly onPromise: (from: string, term: number) => boolean;
  /** Null on a server that does not lead. */
  readonly standing: ((report: StandingRequest) => StandingResponse) | null;
}

/** In small letters, as an edge says it: the caller is to try another server. */
export const NOT_LEADING: Answer = {
  status: 503,
  body: { error: { code: 'not-leading', message: 'Another server leads this site; ask that one.' } },
};

export function serverRoutes({ facts, leads, onPromise, standing }: ServerRouteOptions): Route[] {
  const asked = (path: string, answer: () => Answer): Route => ({
    method: 'GET',
    path,
    access: 'open',
    handle: answer,
  });
  const verdict = (serve: boolean): Answer => ({ status: serve ? 200 : 503, body: { serve } });
  return [
    asked('/server/leading', () => (leads() ? { status: 200, body: { leads: true } } : NOT_LEADING)),
    asked('/server/inference', () => verdict(mayServeInference(facts()).serve)),
    asked('/server/vectors', () => verdict(mayServeVectors(facts()).serve)),
    post('/server/standing', 'peer', Standing, (report) =>
      standing === null || !leads() ? NOT_LEADING : { status: 200, body: standing(report) },
    ),
    post('/server/promise', 'peer', Promise, ({ from, term }) => ({
      status: 200,
      body: { granted: onPromise(from, term) },
    })),
  ];
}
