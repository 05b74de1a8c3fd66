/** Charts drawn by echarts without a browser, in colours that follow the reader's light or dark setting. */
import * as echarts from 'echarts';

/** Stand-ins that echarts can work with; each becomes a CSS variable in the page. */
export const INK = {
  text: '#010101',
  faint: '#020202',
  grid: '#030303',
  siteA: '#040404',
  siteB: '#050505',
  siteC: '#060606',
  failed: '#070707',
  refused: '#080808',
  marker: '#090909',
  paper: '#0a0a0a',
  stage: ['#0b0b0b', '#0c0c0c', '#0d0d0d', '#0e0e0e', '#0f0f0f', '#101010', '#111111', '#121212'],
} as const;

const VARIABLES: ReadonlyMap<string, string> = new Map([
  ...Object.entries(INK).flatMap(([name, value]) =>
    typeof value === 'string' ? [[value, `var(--${name})`] as const] : [],
  ),
  ...INK.stage.map((value, i) => [value, `var(--stage-${i})`] as const),
]);

export function drawSvg(option: echarts.EChartsOption, width: number, height: number): string {
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width, height });
  try {
    chart.setOption({ animation: false, ...option });
    return themed(chart.renderToSVGString());
  } finally {
    chart.dispose();
  }
}

function themed(svg: string): string {
  let result = svg.replace(/<style\b[^>]*>[\s\S]*?<\/style>/g, '');
  for (const [ink, variable] of VARIABLES) result = result.replaceAll(new RegExp(ink, 'gi'), variable);
  return result.replace('<svg ', '<svg role="img" ');
}
