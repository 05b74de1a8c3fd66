import type { Attempt, ClientInfo } from './record';
import { Recorder } from './recorder';
import { reasonToStop } from './stop-conditions';

const CLIENTS: ClientInfo[] = [
  { name: 'cold', kind: 'cold', what: 'inference', periodMs: 500, timeoutMs: 1_000 },
  { name: 'pinned', kind: 'pinned', what: 'writes', periodMs: 500, timeoutMs: 1_000 },
];
const seq = { next: 0 };
function attempt(client: string, start: number, ok: boolean, more: Partial<Attempt> = {}): Attempt {
  seq.next += 1;
  return {
    client,
    seq: seq.next,
    start,
    end: start + 50,
    ok,
    status: null,
    site: null,
    epoch: null,
    address: null,
    error: ok ? null : 'down',
    ...more,
  };
}

describe('being well', () => {
  it('needs successes for the whole time, without a failure, by every client but the pinned', () => {
    const recorder = new Recorder(CLIENTS);
    recorder.add(attempt('pinned', 0, false));
    expect(recorder.allWellFor(0, 100)).toBe(false);
    for (let t = 0; t < 5_000; t += 500) recorder.add(attempt('cold', t, true));
    expect(recorder.allWellFor(4_000, 5_000)).toBe(true);
    recorder.add(attempt('cold', 5_000, false));
    expect(recorder.allWellFor(0, 5_100)).toBe(false);
    expect(recorder.unwell()).toEqual([{ client: 'cold', error: 'down' }]);
  });
  it('is over when a client has gone quiet', () => {
    const recorder = new Recorder(CLIENTS);
    recorder.add(attempt('cold', 0, true));
    expect(recorder.allWellFor(1_000, 1_200)).toBe(true);
    expect(recorder.allWellFor(1_000, 9_000)).toBe(false);
  });
  it('is not brought back by a success that began before the failure', () => {
    const recorder = new Recorder(CLIENTS);
    recorder.add(attempt('cold', 1_000, false));
    recorder.add(attempt('cold', 900, true, { end: 2_000 }));
    expect(recorder.allWellFor(0, 2_000)).toBe(false);
  });
  it('is not known of the time since the oldest unanswered request began', () => {
    const recorder = new Recorder(CLIENTS);
    recorder.add(attempt('cold', 0, true));
    recorder.begin('cold', 1_000_000, 500);
    recorder.add(attempt('cold', 4_900, true));
    expect(recorder.allWellFor(4_000, 5_000)).toBe(false);
    expect(recorder.allWellFor(400, 5_000)).toBe(true);
    recorder.add(attempt('cold', 500, true, { seq: 1_000_000, end: 5_000 }));
    expect(recorder.allWellFor(4_000, 5_000)).toBe(true);
  });
});

describe('stop conditions', () => {
  const limits = { maxOutageSeconds: 10 };
  it('stop when a client has been without a success for too long since the fault', () => {
    const recorder = new Recorder(CLIENTS);
    recorder.add(attempt('cold', 0, true));
    recorder.add(attempt('cold', 1_000, false));
    expect(reasonToStop(recorder, [], limits, 800, 10_000)).toBeNull();
    expect(reasonToStop(recorder, [], limits, 800, 11_000)?.message).toContain('over the limit of 10 s');
  });
  it('stop at the first double write', () => {
    const recorder = new Recorder(CLIENTS);
    recorder.add(attempt('cold', 0, true));
    recorder.add(attempt('pinned', 0, true, { pointId: 1, epoch: 2, site: 'eu' }));
    recorder.add(attempt('pinned', 100, true, { pointId: 2, epoch: 1, site: 'uk' }));
    expect(reasonToStop(recorder, [], limits, 0, 200)?.message).toContain('two sites acknowledged writes');
  });
  it('let a drill go on whose clients are well', () => {
    const recorder = new Recorder(CLIENTS);
    recorder.add(attempt('cold', 0, true));
    expect(reasonToStop(recorder, [], limits, 0, 60_000)).toBeNull();
  });
});
