/** The drill as one self-contained page: no script, nothing fetched. */
import { duration } from '../../cli/table';
import type { Measures } from '../measure/measures';
import { titleOf, type DrillRecord } from '../record';
import { budgetChart, measuredParts } from './budget-chart';
import { DEFINITIONS } from './definitions';
import { STYLE } from './style';
import { idList } from './text';
import { stageMarkers, timelineChart, type Window } from './timeline-chart';

export function renderPage(record: DrillRecord, measures: Measures): string {
  const title = titleOf(record);
  const stopped = record.stopped !== null;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>${escape(record.id)}</title><style>${STYLE}</style></head><body><main>
<h1>${escape(title)}<span class="verdict ${measures.passed ? 'good' : 'bad'}">${
    measures.passed ? 'every objective held' : stopped ? 'stopped' : 'objective missed'
  }</span></h1>
<p class="under">${escape(record.service)} · ${new Date(measures.faultAt ?? record.marks.clientsStarted ?? record.steps[0]?.at ?? 0).toISOString()} · DNS TTL ${record.dnsTtlSeconds} s · switching ${escape(record.switchingMode)} · seen from the clients' side</p>
${record.stopped === null ? '' : `<section class="stop"><h2>Stopped</h2>${escape(record.stopped.message)} (${escape(record.stopped.code)})</section>`}
${numbers(record, measures)}
${charts(record, measures)}
<section><h2>Clients</h2>${clientTable(measures)}</section>
<section><h2>Objectives</h2>${objectiveTable(measures)}</section>
${writes(record, measures)}
${list('What remains', record.leftovers)}
<section><h2>What happened</h2>${stepTable(record, measures)}</section>
<section><h2>What the numbers mean</h2><ul>${DEFINITIONS.map((each) => `<li>${escape(each)}</li>`).join('')}</ul></section>
</main></body></html>
`;
}

export function escape(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}

function numbers(record: DrillRecord, measures: Measures): string {
  const { rto, loss, doubleWrites, missingAfterFailback, recovery } = measures;
  const objective = record.budget.rto.objectiveSeconds;
  const card = (value: string, label: string, ok: boolean): string =>
    `<div class="number${ok ? '' : ' missed'}"><b>${escape(value)}</b><span>${escape(label)}</span></div>`;
  const missing = missingAfterFailback;
  return `<div class="numbers">${[
    card(
      rto.allSeconds === null ? '–' : duration(rto.allSeconds),
      `recovery time, every client (objective ${duration(objective)})`,
      rto.allSeconds !== null && rto.allSeconds <= objective,
    ),
    card(
      rto.coldSeconds === null ? '–' : duration(rto.coldSeconds),
      'recovery time, clients that follow DNS',
      rto.coldSeconds !== null,
    ),
    card(
      loss === null ? '–' : `${loss.points} points`,
      loss === null
        ? 'lost writes: not measured'
        : `of ${loss.acknowledged} acknowledged writes lost; ${duration(loss.seconds)} (objective ${duration(record.budget.rpo.objectiveSeconds)})`,
      loss !== null && loss.seconds <= record.budget.rpo.objectiveSeconds,
    ),
    ...(recovery === null
      ? []
      : [
          card(
            `${recovery.recovered} of ${recovery.lost}`,
            'lost writes recovered by the merge after the failback',
            recovery.recovered === recovery.lost,
          ),
        ]),
    card(`${doubleWrites.length}`, 'double writes', doubleWrites.length === 0),
    card(
      missing === null ? '–' : `${missing.length}`,
      record.failback
        ? 'points missing after the failback'
        : 'points missing after the failback: not asked for',
      missing === null ? !record.failback : missing.length === 0,
    ),
  ].join('')}</div>`;
}

function charts(record: DrillRecord, measures: Measures): string {
  const { marks } = record;
  const fault = measures.faultAt;
  if (fault === null || marks.clientsStarted === null) return '';
  const end = marks.ended ?? fault;
  const markers = stageMarkers(fault, measures.stages);
  const zoom: Window = {
    from: Math.max(marks.clientsStarted, fault - 8_000),
    to: Math.min(end, (marks.recovered ?? end) + 2_000),
  };
  const whole: Window = { from: marks.clientsStarted, to: end };
  return `<section><h2>The failover, as clients saw it</h2>${colourKey(record)}
${timelineChart(record, fault, zoom, markers)}</section>
<section><h2>Where the time went</h2>${budgetChart(measures)}${stageTables(measures)}</section>
${
  whole.to - zoom.to < 5_000
    ? ''
    : `<section><h2>The whole drill, with the failback</h2>${timelineChart(record, fault, whole, [
        { at: fault, label: 'fault' },
        ...(marks.repaired === null ? [] : [{ at: marks.repaired, label: 'put back' }]),
        ...(marks.failbackStarted === null || marks.failbackStarted - (marks.repaired ?? 0) < 3_000
          ? []
          : [{ at: marks.failbackStarted, label: 'failback begins' }]),
        ...(marks.failbackDone === null ? [] : [{ at: marks.failbackDone, label: 'failed back' }]),
      ])}</section>`
}`;
}

function colourKey(record: DrillRecord): string {
  const entry = (variable: string, text: string): string =>
    `<span><i style="background:var(--${variable})"></i>${escape(text)}</span>`;
  return `<div class="key">${[
    ...record.sites.map((site, i) => entry(['siteA', 'siteB', 'siteC'][i] ?? 'siteC', `answered by ${site}`)),
    entry('failed', 'failed'),
    entry('refused', 'refused, as it should be (pinned writers), or no single answer (DNS)'),
  ].join('')}</div>`;
}

function stageTables(measures: Measures): string {
  const parts = measuredParts(measures);
  const swatch = (label: string): string => {
    const i = parts.findIndex((part) => part.label === label);
    return i === -1 ? '' : `<i style="background:var(--stage-${i % 8})"></i>`;
  };
  const measured = `<table><tr><th></th><th>measured</th><th class="r">since the fault</th></tr>${measures.stages
    .map(
      (stage, i) =>
        `<tr><td><span class="n">${i + 1}</span></td><td>${swatch(stage.label)}${escape(stage.label)}</td><td class="r">${duration(stage.secondsSinceFault)}</td></tr>`,
    )
    .join('')}</table>`;
  const prediction = measures.prediction;
  if (prediction === null)
    return `${measured}<p class="under">There is no budget for this scenario: nothing has to be detected.</p>`;
  let total = 0;
  const predicted = `<table><tr><th>predicted, worst case</th><th class="r">adds</th><th class="r">since the fault</th></tr>${prediction.stages
    .map((stage, i) => {
      total += stage.seconds;
      return `<tr><td><i style="background:var(--stage-${i % 8})"></i>${escape(stage.stage)}</td><td class="r">${duration(stage.seconds)}</td><td class="r">${duration(total)}</td></tr>`;
    })
    .join('')}</table>`;
  return `<div class="columns"><div>${predicted}</div><div>${measured}</div></div>`;
}

function clientTable(measures: Measures): string {
  const outage = (seconds: number | undefined): string =>
    seconds === undefined ? 'none' : duration(seconds);
  return `<table><tr><th>client</th><th class="r">recovered after</th><th class="r">longest outage</th><th class="r">failed</th><th class="r">of</th><th class="r">failback: longest outage</th><th class="r">failed</th><th class="r">of</th></tr>${measures.clients
    .map((client) => {
      const back = client.failback;
      const recovered =
        client.kind === 'pinned'
          ? 'refusals expected'
          : client.recoverySeconds === null
            ? 'never'
            : duration(client.recoverySeconds);
      return `<tr><td>${escape(client.client)}</td><td class="r">${recovered}</td><td class="r">${outage(client.failover.longest?.seconds)}</td><td class="r">${client.failover.errors}</td><td class="r">${client.failover.attempts}</td><td class="r">${back === null ? '–' : outage(back.longest?.seconds)}</td><td class="r">${back?.errors ?? '–'}</td><td class="r">${back?.attempts ?? '–'}</td></tr>`;
    })
    .join('')}</table>`;
}

function objectiveTable(measures: Measures): string {
  return `<table><tr><th>objective</th><th>target</th><th>measured</th><th></th></tr>${measures.objectives
    .map(
      (each) =>
        `<tr><td>${escape(each.name)}</td><td>${escape(each.target)}</td><td>${escape(each.measured)}</td><td class="${each.ok ? 'ok' : 'missed'}">${each.ok ? 'held' : 'missed'}</td></tr>`,
    )
    .join('')}</table>`;
}

function writes(record: DrillRecord, measures: Measures): string {
  const lost = measures.loss?.lost ?? [];
  const fault = measures.faultAt ?? 0;
  const lines = [
    ...(lost.length === 0
      ? []
      : [
          `Lost: ${idList(lost.map((write) => write.pointId))}; acknowledged ${aroundFault(lost[0]?.ackedAt ?? 0, fault)} to ${aroundFault(lost.at(-1)?.ackedAt ?? 0, fault)} the fault.`,
        ]),
    ...measures.doubleWrites
      .slice(0, 50)
      .map(
        (each) =>
          `Double write: point ${each.pointId}, ${each.client}, ${each.site ?? '?'}, epoch ${each.epoch}: ${each.because}.`,
      ),
    ...((measures.missingAfterFailback?.length ?? 0) === 0
      ? []
      : [`Missing after the failback: ${idList(measures.missingAfterFailback ?? [])}.`]),
  ];
  return list('Writes', lines);
}

function aroundFault(at: number, fault: number): string {
  const seconds = (at - fault) / 1000;
  return seconds < 0 ? `${(-seconds).toFixed(1)} s before` : `${seconds.toFixed(1)} s after`;
}

function list(title: string, lines: readonly string[]): string {
  return lines.length === 0
    ? ''
    : `<section><h2>${escape(title)}</h2><ul>${lines.map((line) => `<li>${escape(line)}</li>`).join('')}</ul></section>`;
}

function stepTable(record: DrillRecord, measures: Measures): string {
  const fault = measures.faultAt;
  return `<table>${record.steps
    .map(
      (step) =>
        `<tr><td class="r">${fault === null ? new Date(step.at).toISOString().slice(11, 19) : `${step.at < fault ? '−' : '+'}${(Math.abs(step.at - fault) / 1000).toFixed(1)} s`}</td><td>${escape(step.text)}</td></tr>`,
    )
    .join('')}</table>`;
}
