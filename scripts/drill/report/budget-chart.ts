/** Prediction and measurement as two stacked bars over the same seconds. */
import type { BarSeriesOption, EChartsOption } from 'echarts';
import type { Measures } from '../measure/measures';
import { CHART_WIDTH } from './timeline-chart';
import { INK, drawSvg } from './svg';

export interface Part {
  readonly label: string;
  readonly seconds: number;
}

/** What each stage took beyond the one before it; stages that nobody saw are left out. */
export function measuredParts(measures: Measures): Part[] {
  const seen = measures.stages
    .flatMap((stage) =>
      stage.secondsSinceFault === null ? [] : [{ label: stage.label, at: stage.secondsSinceFault }],
    )
    .sort((a, b) => a.at - b.at);
  return seen.map((stage, i) => ({ label: stage.label, seconds: stage.at - (seen[i - 1]?.at ?? 0) }));
}

export function budgetChart(measures: Measures): string {
  const measured = measuredParts(measures);
  const predicted: Part[] = (measures.prediction?.stages ?? []).map((each) => ({
    label: each.stage,
    seconds: each.seconds,
  }));
  const rows = [...(predicted.length > 0 ? ['predicted,\nworst case'] : []), 'measured'];
  const longest = Math.max(sum(predicted), sum(measured), 1);
  const series = [
    ...bars(predicted, 0, rows.length, longest),
    ...bars(measured, rows.length - 1, rows.length, longest),
  ];
  const option: EChartsOption = {
    grid: { left: 168, right: 60, top: 10, bottom: 40 },
    xAxis: {
      type: 'value',
      max: longest,
      name: 'seconds since the fault',
      nameLocation: 'middle',
      nameGap: 26,
      nameTextStyle: { color: INK.faint },
      axisLabel: {
        color: INK.faint,
        showMaxLabel: false,
        formatter: (value: number) => String(Math.round(value * 10) / 10),
      },
      splitLine: { lineStyle: { color: INK.grid } },
    },
    yAxis: {
      type: 'category',
      inverse: true,
      data: rows,
      axisLabel: { color: INK.text, fontSize: 13 },
      axisLine: { show: false },
      axisTick: { show: false },
    },
    series,
  };
  return drawSvg(option, CHART_WIDTH, 50 + rows.length * 62);
}

function bars(parts: readonly Part[], row: number, rows: number, longest: number): BarSeriesOption[] {
  return parts.map((part, i) => ({
    type: 'bar' as const,
    stack: 'time',
    barWidth: 34,
    itemStyle: {
      color: INK.stage[i % INK.stage.length] ?? INK.stage[0],
      borderColor: INK.paper,
      borderWidth: 1,
    },
    data: Array.from({ length: rows }, (_, r) => (r === row ? part.seconds : null)),
    label: {
      show: part.seconds / longest > 0.035,
      formatter: `${part.seconds.toFixed(1)}`,
      color: INK.paper,
      fontSize: 12,
    },
  }));
}

export function sum(parts: readonly Part[]): number {
  return parts.reduce((total, part) => total + part.seconds, 0);
}
