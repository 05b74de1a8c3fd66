import type { Measures } from '../measure/measures';
import type { DrillRecord } from '../record';
import { renderResult } from './text';

/** The drill as one self-contained page. */
export async function renderPage(record: DrillRecord, measures: Measures): Promise<string> {
  return Promise.resolve(
    `<!doctype html><meta charset="utf-8"><pre>${escape(renderResult(record, measures))}</pre>`,
  );
}

function escape(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
}
