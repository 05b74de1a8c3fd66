/** Every path of the agent's API and what it answers. */
import { z } from 'zod';
import {
  MAX_VETO_SECONDS,
  MERGE_POLICIES,
  type DrilledRequest,
  type DrillStatus,
  type MergeRequest,
  type MergeResponse,
  type PromiseResponse,
  type PublishListing,
} from '../../../infra/contract/agent-api';
import type { Digester } from '../digest/digester';
import { mayServeInference, mayServeVectors } from '../edge-verdicts';
import type { DivergedArchive } from '../diverged/archive';
import type { Operations } from '../operations';
import type { KeeperPort } from '../ports';
import type { SiteView } from '../site-view';
import { post, type Answer, type Route } from './server';

const Person = z.object({ by: z.string().min(1).max(200), reason: z.string().min(1).max(2000) });
const Promote = Person.extend({ acceptDataLoss: z.boolean().optional() });
const Restore = Person.extend({ at: z.string().min(1).max(100) });
const Veto = Person.extend({ forSeconds: z.number().min(0).max(MAX_VETO_SECONDS) });
const PromiseBody = z.object({ from: z.string().min(1), epoch: z.number().int().nonnegative() });
const PeerApply = z.object({ publishId: z.string().min(1).max(100) });
const PeerDigest = z.object({
  publishId: z.string().min(1).max(100),
  collection: z.string().min(1).max(255),
  bucket: z.number().int().min(0).max(255),
});
const epoch = z.number().int().positive();
const policy = z.enum(MERGE_POLICIES);
const count = z.number().int().nonnegative();
const DivergedPage = z.object({ epoch, offset: count });
const DivergedMerged = Person.extend({
  epoch,
  policy,
  outcome: z.object({ applied: count, present: count, conflicts: count }),
});
const Merge = Person.extend({ lines: z.array(z.string()), policy, first: z.boolean() });
/** A page of lines, each quoted once more, and one that is longer than a page. */
const MERGE_BYTES = 64 * 1024 * 1024;
const Drilled = z.object({
  id: z.string().min(1).max(200),
  scenario: z.string().min(1).max(100),
  passed: z.boolean(),
});
const Nothing = z.unknown();

export interface RouteOptions {
  readonly view: SiteView;
  readonly keeper: KeeperPort;
  readonly operations: Operations;
  readonly metrics: () => Promise<Answer>;
  /** What can be restored. */
  readonly publishes: () => Promise<readonly PublishListing[]>;
  readonly peerSite: string;
  readonly digests: Pick<Digester, 'doubted'>;
  readonly diverged: Pick<DivergedArchive, 'list' | 'page' | 'merged'>;
  readonly merge: (request: MergeRequest) => Promise<MergeResponse>;
  readonly drilled: (request: DrilledRequest) => Promise<DrillStatus>;
}

export function routes(options: RouteOptions): Route[] {
  const { view, keeper, operations } = options;
  return [
    get('/readyz', 'open', () => {
      const body = view.readyz();
      return { status: body.ready ? 200 : 503, body };
    }),
    get('/promotable', 'operator', () => {
      const body = view.promotable();
      return { status: body.promotable ? 200 : 503, body };
    }),
    get('/status', 'operator', () => ok(view.status())),
    get('/metrics', 'operator', () => options.metrics()),
    get('/edge/inference', 'open', () => edge(mayServeInference(view.edgeFacts()))),
    get('/edge/vectors', 'open', () => edge(mayServeVectors(view.edgeFacts()))),
    post('/failover/promote', 'operator', Promote, async ({ by, reason, acceptDataLoss }) =>
      ok(
        await operations.promote(
          acceptDataLoss === undefined ? { by, reason } : { by, reason, acceptDataLoss },
        ),
      ),
    ),
    post('/failover/switch', 'operator', Person, async (body) => ok(await operations.switch(body))),
    post('/failover/veto', 'operator', Veto, async (body) => {
      await keeper.veto(body);
      return ok(keeper.switching());
    }),
    post('/failover/reprotect', 'operator', Person, async (body) => ok(await operations.reprotect(body))),
    get('/failover/publishes', 'operator', async () => ok({ publishes: await options.publishes() })),
    post('/failover/restore', 'operator', Restore, async (body) => ok(await operations.restore(body))),
    post('/failover/restore-test', 'operator', Nothing, async () => ok(await operations.testRestore())),
    post('/failover/publish', 'operator', Nothing, async () => ok(await operations.publish())),
    post('/failover/apply', 'operator', Nothing, async () => ok(await operations.apply())),
    post('/failover/drilled', 'operator', Drilled, async (body) => ok(await options.drilled(body))),
    post('/failover/diverged', 'operator', Nothing, () => ok({ diverged: options.diverged.list() })),
    post('/failover/diverged/page', 'operator', DivergedPage, async (body) =>
      ok(await options.diverged.page(body.epoch, body.offset)),
    ),
    post('/failover/diverged/merged', 'operator', DivergedMerged, async (body) => {
      await options.diverged.merged(body);
      return ok({ diverged: options.diverged.list() });
    }),
    post('/failover/merge', 'operator', Merge, async (body) => ok(await options.merge(body)), MERGE_BYTES),
    get('/peer/status', 'peer', () => ok(view.status())),
    post('/peer/promise', 'peer', PromiseBody, (body) => promise(body).then(ok)),
    post('/peer/apply', 'peer', PeerApply, async (body) => ok(await operations.applyExactly(body.publishId))),
    post('/peer/digest', 'peer', PeerDigest, async ({ publishId, collection, bucket }) => {
      const points = await options.digests.doubted(publishId, collection, bucket);
      const entries =
        points === null ? null : [...points].map(([key, hash]) => [key, hash.payload, hash.vectors]);
      return ok({ entries });
    }),
    post('/peer/wake', 'peer', Nothing, () => {
      keeper.wake();
      return { status: 204 };
    }),
  ];

  /** A promise to anybody but the peer would bind this site to a stranger. */
  async function promise(body: z.output<typeof PromiseBody>): Promise<PromiseResponse> {
    if (body.from !== options.peerSite) return { granted: false, epoch: body.epoch };
    return keeper.onPromise(body);
  }
}

function get(path: string, access: Route['access'], handle: () => Answer | Promise<Answer>): Route {
  return { method: 'GET', path, access, handle };
}

function ok(body: unknown): Answer {
  return { status: 200, body };
}

function edge(verdict: { readonly serve: boolean; readonly why: string }): Answer {
  return { status: verdict.serve ? 200 : 503, body: verdict };
}
