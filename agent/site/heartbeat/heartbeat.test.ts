import type { HeartbeatStatus } from '../../../infra/contract/agent-api';
import { WriteRefusedError, type GatewayWriter } from '../diverged/gateway-writer';
import { QdrantRequestError } from '../qdrant/client';
import type { QdrantPoint } from '../qdrant/types';
import { FakeKeeper } from '../testing/fake-keeper';
import { Heartbeat } from './heartbeat';
import { LossJudge } from './loss';

const mark = (sequence: number, epoch = 1, run = 'r') => ({ epoch, run, sequence });

describe('the loss that a heartbeat measures', () => {
  let nowMs = 0;
  let judge: LossJudge;
  beforeEach(() => {
    nowMs = 0;
    judge = new LossJudge(() => nowMs);
    for (let sequence = 1; sequence <= 5; sequence += 1) {
      nowMs = sequence * 10_000;
      judge.sending(mark(sequence), sequence * 100);
    }
    nowMs = 55_000;
  });

  it('counts from before the newest one that the other site holds was sent', () => {
    judge.reported(mark(3));
    expect(judge.measure(520)).toEqual({ seconds: 25, writes: 220, atLeast: false });
    judge.reported(mark(5));
    expect(judge.measure(520)).toEqual({ seconds: 5, writes: 20, atLeast: false });
  });

  it('is not known before the other site has said anything, and when it holds none', () => {
    expect(judge.measure(520)).toBeNull();
    expect(judge.reportAgeSeconds).toBeNull();
    judge.reported(null);
    expect(judge.measure(520)).toBeNull();
    expect(judge.reportAgeSeconds).toBe(0);
  });

  it.each([
    ['of an earlier epoch', mark(4, 0)],
    ['of an earlier process', mark(4, 1, 'before')],
    ['of a number that was never sent', mark(9)],
  ])('is at least all that this process knows of when the other site holds one %s', (_what, held) => {
    judge.reported(held);
    expect(judge.measure(520)).toEqual({ seconds: 45, writes: 420, atLeast: true });
  });

  it('begins anew with each time of holding', () => {
    judge.reported(mark(5));
    nowMs = 100_000;
    judge.sending(mark(6, 3), 600);
    nowMs = 101_000;
    expect(judge.measure(610)).toEqual({ seconds: 1, writes: 10, atLeast: true });
    judge.reported(mark(6, 3));
    expect(judge.measure(610)).toEqual({ seconds: 1, writes: 10, atLeast: false });
  });
});

describe('the heartbeat', () => {
  let keeper: FakeKeeper;
  let writes: [string, string, unknown][];
  let events: string[];
  let fails: ((path: string) => WriteRefusedError | null) | null;
  let stored: QdrantPoint | null;
  let retrieveError: Error | null;
  let nowMs: number;
  let heartbeat: Heartbeat;
  let wrote: () => void;

  beforeEach(() => {
    keeper = new FakeKeeper('uk');
    [writes, events, fails, stored, retrieveError, nowMs] = [[], [], null, null, null, 0];
    wrote = () => undefined;
    const gateway: GatewayWriter = {
      write: (method, path, body) => {
        writes.push([method, path, JSON.parse(body)]);
        wrote();
        const failure = fails?.(path) ?? null;
        return failure === null ? Promise.resolve() : Promise.reject(failure);
      },
    };
    heartbeat = new Heartbeat({
      site: 'uk',
      intervalSeconds: 0.005,
      qdrant: {
        retrieve: () =>
          retrieveError === null
            ? Promise.resolve(stored === null ? [] : [stored])
            : Promise.reject(retrieveError),
      },
      gateway,
      keeper,
      clock: { bootId: 'b', monotonicMs: () => nowMs, wallIso: () => '' },
      record: (kind, detail) => void events.push(`${kind}: ${detail}`),
      acknowledgedWrites: () => 7,
    });
  });
  afterEach(() => heartbeat.stop());

  const count = (wanted: number) =>
    new Promise<void>((resolve) => {
      wrote = () => writes.length >= wanted && resolve();
      heartbeat.start();
    });
  const status = (): HeartbeatStatus => heartbeat.status() as HeartbeatStatus;

  it('writes a number that grows, under the epoch that is held, and measures by what the other site reports', async () => {
    await count(3);
    await heartbeat.stop();
    const payloads = writes.map(([, , body]) => (body as { points: QdrantPoint[] }).points[0]?.payload);
    expect(payloads.slice(0, 3).map((payload) => payload?.['sequence'])).toEqual([1, 2, 3]);
    expect(payloads[0]).toMatchObject({ site: 'uk', epoch: 1 });
    nowMs = 4_000;
    heartbeat.peerReported({
      found: status().found,
      writtenAgeSeconds: null,
      loss: null,
      reportAgeSeconds: null,
    });
    expect(status()).toMatchObject({
      writtenAgeSeconds: 4,
      loss: { seconds: 4, writes: 0, atLeast: false },
      reportAgeSeconds: 0,
    });
  });

  it('makes its collection when there is none', async () => {
    const made = () => writes.some(([, path]) => path === '/collections/failover-heartbeat');
    fails = (path) =>
      path.includes('/points') && !made() ? new WriteRefusedError(404, 'no collection') : null;
    await count(3);
    await heartbeat.stop();
    expect(writes.slice(0, 3).map(([method, path]) => `${method} ${path}`)).toEqual([
      'PUT /collections/failover-heartbeat/points?wait=true',
      'PUT /collections/failover-heartbeat',
      'PUT /collections/failover-heartbeat/points?wait=true',
    ]);
  });

  it('is told of once when it cannot be written, and grows old', async () => {
    fails = () => new WriteRefusedError(503, 'the gateway refuses');
    await count(3);
    await heartbeat.stop();
    nowMs = 9_000;
    expect(events).toEqual([expect.stringContaining('the gateway refuses')]);
    expect(status()).toMatchObject({ writtenAgeSeconds: 9, loss: null });
  });

  it('writes nothing where the lease is not, and while writes are refused', async () => {
    const held = jest.spyOn(keeper, 'writableForSeconds');
    const looks = async (): Promise<void> => {
      for (held.mockClear(); held.mock.calls.length < 3;)
        await new Promise((resolve) => setImmediate(resolve));
    };
    keeper.holder = 'eu';
    heartbeat.start();
    await looks();
    keeper.holder = 'uk';
    keeper.writesHeld = true;
    await looks();
    expect(writes).toEqual([]);
    keeper.writesHeld = false;
    await count(1);
  });

  it('is found in the data that came by an apply; none where there is none', async () => {
    stored = { id: 1, payload: { site: 'uk', ...mark(12, 3) } };
    await heartbeat.look();
    expect(status().found).toEqual(mark(12, 3));
    stored = { id: 1, payload: { epoch: 'x' } };
    await heartbeat.look();
    expect(status().found).toBeNull();
    retrieveError = new QdrantRequestError(404, 'no collection');
    await heartbeat.look();
    expect(status().found).toBeNull();
    retrieveError = new QdrantRequestError(500, 'broken');
    await expect(heartbeat.look()).rejects.toThrow('broken');
  });
});
