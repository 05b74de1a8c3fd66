/** The timeline: one strip for the lease, DNS and each client, with the stages as numbered lines across them. */
import type { EChartsOption } from 'echarts';
import type { Stage } from '../measure/stages';
import type { DrillRecord } from '../record';
import { stripsOf, type Tone } from './segments';
import { INK, drawSvg } from './svg';

export interface Window {
  readonly from: number;
  readonly to: number;
}

export interface Marker {
  readonly at: number;
  readonly label: string;
}

const ROW_PX = 26;
const TOP_PX = 64;
const BOTTOM_PX = 46;
const LEFT_PX = 168;
const RIGHT_PX = 24;
/** Closer than this, two numbers cannot be told apart. */
const TOUCHING_PX = 14;
export const CHART_WIDTH = 1180;

/** Numbers as the stage table below the chart has them. */
export function stageMarkers(fault: number, stages: readonly Stage[]): Marker[] {
  return [
    { at: fault, label: 'fault' },
    ...stages.flatMap((stage, i) => (stage.at === null ? [] : [{ at: stage.at, label: `${i + 1}` }])),
  ];
}

export function timelineChart(
  record: DrillRecord,
  origin: number,
  window: Window,
  markers: readonly Marker[],
): string {
  const strips = stripsOf(record);
  const seconds = (at: number): number => (at - origin) / 1000;
  const data = strips.flatMap((strip, row) =>
    strip.segments
      .filter((segment) => segment.to > window.from && segment.from < window.to)
      .map((segment) => [
        row,
        seconds(Math.max(segment.from, window.from)),
        seconds(Math.min(segment.to, window.to)),
        colour(record, segment.tone),
        row < 2 ? caption(record, segment.tone, segment.text) : '',
      ]),
  );
  const option: EChartsOption = {
    grid: { left: LEFT_PX, right: RIGHT_PX, top: TOP_PX, bottom: BOTTOM_PX },
    xAxis: {
      type: 'value',
      min: seconds(window.from),
      max: seconds(window.to),
      name: 'seconds since the fault',
      nameLocation: 'middle',
      nameGap: 28,
      nameTextStyle: { color: INK.faint },
      axisLabel: { color: INK.faint, showMinLabel: false, showMaxLabel: false },
      axisLine: { lineStyle: { color: INK.grid } },
      splitLine: { lineStyle: { color: INK.grid } },
    },
    yAxis: {
      type: 'category',
      inverse: true,
      data: strips.map((strip) => strip.label),
      axisLabel: { color: INK.text, fontSize: 13 },
      axisLine: { show: false },
      axisTick: { show: false },
    },
    series: [
      {
        type: 'custom',
        encode: { x: [1, 2], y: 0 },
        data,
        renderItem: (_params, api) => {
          const start = api.coord([api.value(1), api.value(0)]);
          const end = api.coord([api.value(2), api.value(0)]);
          const width = Math.max((end[0] ?? 0) - (start[0] ?? 0), 2);
          const height = ROW_PX - 10;
          const text = String(api.value(4));
          return {
            type: 'group',
            children: [
              {
                type: 'rect',
                shape: { x: start[0] ?? 0, y: (start[1] ?? 0) - height / 2, width, height },
                style: { fill: String(api.value(3)) },
              },
              ...(text.length * 7 + 8 < width
                ? [
                    {
                      type: 'text' as const,
                      style: {
                        x: (start[0] ?? 0) + 6,
                        y: start[1] ?? 0,
                        text,
                        fill: INK.paper,
                        fontSize: 12,
                        verticalAlign: 'middle' as const,
                      },
                    },
                  ]
                : []),
            ],
          };
        },
      },
    ],
    graphic: markerGraphics(record, window, markers, strips.length),
  };
  return drawSvg(option, CHART_WIDTH, heightFor(strips.length));
}

function heightFor(rows: number): number {
  return TOP_PX + BOTTOM_PX + rows * ROW_PX;
}

/** Numbered markers that would lie on each other become one, such as `1–4`; named ones stay by themselves. */
export function mergeMarkers(markers: readonly Marker[], touchingMs: number): Marker[] {
  const merged: (Marker & { readonly first: string; readonly last: string })[] = [];
  for (const marker of [...markers].sort((a, b) => a.at - b.at)) {
    const before = merged.at(-1);
    const numbers = /^\d+$/.test(marker.label) && before !== undefined && /^\d+$/.test(before.last);
    if (numbers && marker.at - before.at < touchingMs) {
      merged[merged.length - 1] = { ...before, last: marker.label, label: `${before.first}–${marker.label}` };
    } else {
      merged.push({ ...marker, first: marker.label, last: marker.label });
    }
  }
  return merged.map(({ at, label }) => ({ at, label }));
}

/** Lines over all strips; labels take turns on three levels where they would lie on each other. */
function markerGraphics(
  record: DrillRecord,
  window: Window,
  markers: readonly Marker[],
  rows: number,
): NonNullable<EChartsOption['graphic']> {
  const span = window.to - window.from;
  const x = (at: number): number =>
    LEFT_PX + ((at - window.from) / span) * (CHART_WIDTH - LEFT_PX - RIGHT_PX);
  const visible = markers.filter((marker) => marker.at >= window.from && marker.at <= window.to);
  const lastOnLevel = [-1e9, -1e9, -1e9];
  return mergeMarkers(visible, (TOUCHING_PX / (CHART_WIDTH - LEFT_PX - RIGHT_PX)) * span).flatMap(
    (marker) => {
      const at = x(marker.at);
      const width = marker.label.length * 7 + 10;
      let level = lastOnLevel.findIndex((right) => at - width / 2 > right);
      if (level === -1) level = 2;
      lastOnLevel[level] = at + width / 2 + 2;
      const y = TOP_PX - 16 - level * 18;
      const bottom = TOP_PX + rows * ROW_PX;
      return [
        {
          type: 'line' as const,
          silent: true,
          shape: { x1: at, y1: y + 8, x2: at, y2: bottom },
          style: {
            stroke: marker.label === 'fault' ? INK.failed : INK.marker,
            lineWidth: 1.5,
            lineDash: marker.label === 'fault' ? ('solid' as const) : ([4, 3] as number[]),
          },
          z: 10,
        },
        {
          type: 'rect' as const,
          silent: true,
          shape: { x: at - width / 2, y: y - 8, width, height: 16, r: 8 },
          style: { fill: marker.label === 'fault' ? INK.failed : INK.marker },
          z: 11,
        },
        {
          type: 'text' as const,
          silent: true,
          style: {
            x: at,
            y,
            text: marker.label,
            fill: INK.paper,
            fontSize: 11,
            fontWeight: 'bold' as const,
            align: 'center' as const,
            verticalAlign: 'middle' as const,
          },
          z: 12,
        },
      ];
    },
  );
}

export function colour(record: DrillRecord, tone: Tone): string {
  if (tone === 'failed') return INK.failed;
  if (tone === 'refused' || tone === 'nothing') return INK.refused;
  const palette = [INK.siteA, INK.siteB, INK.siteC];
  return palette[record.sites.indexOf(tone.site)] ?? INK.siteC;
}

function caption(_record: DrillRecord, tone: Tone, text: string): string {
  return typeof tone === 'string' ? text : `${tone.site} ${text}`;
}
