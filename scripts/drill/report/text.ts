/** The result of a drill as a terminal shows it. */
import { duration, table } from '../../cli/table';
import type { Measures } from '../measure/measures';
import { titleOf, type DrillRecord } from '../record';

export function renderResult(record: DrillRecord, measures: Measures): string {
  const parts = [`${titleOf(record)}, ${record.service}, ${record.id}`, '', clients(measures)];
  if (measures.stages.length > 0) parts.push('', stages(measures));
  const loss = measures.loss;
  if (loss !== null) {
    parts.push(
      '',
      `writes: ${loss.acknowledged} acknowledged, ${loss.points} of them lost by the failover (${duration(loss.seconds)})${
        loss.points === 0 ? '' : `: ${idList(loss.lost.map((write) => write.pointId))}`
      }`,
    );
  }
  const { recovery } = measures;
  if (recovery !== null) {
    parts.push(`lost by the failover: ${recovery.lost}, recovered by merge: ${recovery.recovered}`);
  }
  for (const double of measures.doubleWrites.slice(0, 10)) {
    parts.push(
      `double write: point ${double.pointId} by ${double.site ?? '?'} under epoch ${double.epoch}: ${double.because}`,
    );
  }
  parts.push('', objectives(measures));
  if (record.stopped !== null) parts.push('', `STOPPED: ${record.stopped.message} (${record.stopped.code})`);
  for (const leftover of record.leftovers) parts.push(`remains: ${leftover}`);
  parts.push('', measures.passed ? 'PASSED: every objective held.' : 'NOT PASSED.');
  return parts.join('\n');
}

function clients(measures: Measures): string {
  return table([
    ['client', 'recovered after', 'longest outage', 'errors', 'of', 'failback: outage', 'errors'],
    ...measures.clients.map((client) => [
      client.client,
      client.kind === 'pinned'
        ? '(pinned)'
        : client.recoverySeconds === null
          ? 'never'
          : duration(client.recoverySeconds),
      client.failover.longest === null ? 'none' : duration(client.failover.longest.seconds),
      String(client.failover.errors),
      String(client.failover.attempts),
      client.failback === null
        ? '–'
        : client.failback.longest === null
          ? 'none'
          : duration(client.failback.longest.seconds),
      client.failback === null ? '–' : String(client.failback.errors),
    ]),
  ]);
}

function stages(measures: Measures): string {
  const prediction = measures.prediction;
  return [
    table([
      ['since the fault', 'stage'],
      ...measures.stages.map((stage) => [duration(stage.secondsSinceFault), stage.label]),
    ]),
    prediction === null
      ? 'predicted: no budget for this scenario'
      : `predicted, worst case: ${duration(prediction.totalSeconds)} = ${prediction.stages
          .map((stage) => `${stage.stage} ${stage.seconds} s`)
          .join(' + ')}`,
  ].join('\n');
}

function objectives(measures: Measures): string {
  return table([
    ['objective', 'target', 'measured', ''],
    ...measures.objectives.map((each) => [each.name, each.target, each.measured, each.ok ? 'ok' : 'MISSED']),
  ]);
}

export function idList(ids: readonly number[], most = 20): string {
  const shown = ids.slice(0, most).join(', ');
  return ids.length > most ? `${shown} and ${ids.length - most} more` : shown;
}
