import { mkdir, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Measures } from '../measure/measures';
import type { DrillRecord } from '../record';

/** Writes `<id>.json` (record and measures) and `<id>.html`; answers their names. */
export async function writeReport(
  folder: string,
  record: DrillRecord,
  measures: Measures,
): Promise<{ json: string; html: string }> {
  await mkdir(folder, { recursive: true });
  const json = path.join(folder, `${record.id}.json`);
  const html = path.join(folder, `${record.id}.html`);
  await replace(json, `${JSON.stringify({ record, measures })}\n`);
  const { renderPage } = await import('./page'); // brings echarts with it, which nothing else needs
  await replace(html, renderPage(record, measures));
  return { json, html };
}

/** Never leaves half a report. */
async function replace(file: string, text: string): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  await writeFile(temporary, text);
  await rename(temporary, file);
}
