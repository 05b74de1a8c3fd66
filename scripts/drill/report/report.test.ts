import { sampleRecord, at } from '../../testing/sample-record';
import { measure } from '../measure/measures';
import { measuredParts } from './budget-chart';
import { renderPage } from './page';
import { clientSegments, stripsOf } from './segments';
import { renderResult } from './text';
import { mergeMarkers } from './timeline-chart';

describe('the page', () => {
  const record = sampleRecord();
  const page = renderPage(record, measure(record));

  it('is self-contained: nothing is fetched and nothing is run', () => {
    expect(page).not.toMatch(/<script|<link|<img|@import|url\(|src=|href=/);
    expect(page.match(/https?:\/\/(?!www\.w3\.org)[^"' <]*/g)).toBeNull();
  });
  it('has a strip for the lease, DNS and each client, and both bars', () => {
    for (const label of [
      'lease',
      'DNS answer',
      'cold-inference',
      'warm-vectors',
      'writer',
      'pinned-uk',
      'measured',
    ]) {
      expect(page).toContain(`>${label}</text>`);
    }
    expect(page).toContain('predicted,');
    expect(page).toContain('var(--siteB)');
  });
  it('leaves no stand-in colour behind, so that it follows light and dark', () => {
    expect(page).not.toMatch(/#0[1-9a-f]0[1-9a-f]0[1-9a-f]\b/i);
  });
  it('escapes what came from outside', () => {
    const evil = sampleRecord({ leftovers: ['<img src=x onerror=alert(1)>'] });
    expect(renderPage(evil, measure(evil))).not.toContain('<img');
  });
  it('can be made from a drill that stopped before its fault', () => {
    const marks = {
      ...record.marks,
      faultStarted: null,
      recovered: null,
      repaired: null,
      failbackStarted: null,
      failbackDone: null,
    };
    const stopped = sampleRecord({
      marks,
      afterFailover: null,
      afterFailback: null,
      stopped: { code: 'X', message: 'early' },
    });
    expect(renderPage(stopped, measure(stopped))).toContain('early');
  });
});

describe('the terminal', () => {
  it('prints the clients, the stages beside the prediction, and the verdict', () => {
    const record = sampleRecord();
    const text = renderResult(record, measure(record));
    expect(text).toMatch(/cold-inference +10\.0 s/);
    expect(text).toMatch(/6\.5 s +eu holds the lease/);
    expect(text).toContain('predicted, worst case: 9.0 s = lease runs out 6 s + DNS 3 s');
    expect(text).toContain('PASSED: every objective held.');
  });
  it('says why it was stopped and what remains', () => {
    const record = sampleRecord({
      stopped: { code: 'DRILL_ABORTED', message: 'too long' },
      leftovers: ['a fault'],
    });
    expect(renderResult(record, measure(record))).toMatch(
      /STOPPED: too long[\s\S]*remains: a fault[\s\S]*NOT PASSED/,
    );
  });
});

describe('strips', () => {
  it('join requests that went the same way and break where they did not', () => {
    const record = sampleRecord();
    const cold = record.clients[0]!;
    const segments = clientSegments(
      cold,
      record.attempts.filter((each) => each.client === cold.name),
    );
    expect(segments.map((segment) => segment.tone)).toEqual([
      { site: 'uk' },
      'failed',
      { site: 'eu' },
      { site: 'uk' },
    ]);
    expect(segments[1]).toMatchObject({ from: at(10), to: at(20) });
  });
  it('show a pinned writer that is refused apart from one that fails', () => {
    const strip = stripsOf(sampleRecord()).find((each) => each.label === 'pinned-uk');
    expect(strip?.segments.map((segment) => segment.tone)).toEqual([
      { site: 'uk' },
      'failed',
      'refused',
      { site: 'uk' },
    ]);
  });
  it('begin a lease at the moment of its claim, not when it was noticed', () => {
    const lease = stripsOf(sampleRecord())[0];
    expect(lease?.segments[1]).toMatchObject({ from: at(16.5), to: at(40) });
  });
});

describe('markers and bars', () => {
  it('merges numbers that would lie on each other, and leaves names alone', () => {
    const markers = [
      { at: 0, label: 'fault' },
      { at: 5, label: '1' },
      { at: 6, label: '2' },
      { at: 7, label: '3' },
      { at: 100, label: '4' },
    ];
    expect(mergeMarkers(markers, 10).map((marker) => marker.label)).toEqual(['fault', '1–3', '4']);
  });
  it('splits the recovery into what each stage added, which sums up to the whole', () => {
    const parts = measuredParts(measure(sampleRecord()));
    expect(parts[0]).toEqual({ label: 'the standby sees the lease run out', seconds: 6 });
    expect(parts.reduce((sum, part) => sum + part.seconds, 0)).toBeCloseTo(10.02, 5);
  });
});
