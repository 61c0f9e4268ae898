// The hover over a row: its length compared with max_length, its problems, and its text as tokens, with the tokens
// trained on, the context and the part that is cut off set apart.
import * as vscode from 'vscode';
import type { LabelledRun } from '../../core/data/rowAnalysis.js';
import { count } from '../../core/units.js';
import { DATASET_SELECTOR, rowAt, type DocumentDatasets } from './documentDatasets.js';
import type { RowDetail } from './worker/workerMessages.js';

/** Longer texts are shortened in the hover, each run in its middle. */
const MAX_CHARACTERS = 6000;

export function registerHover(datasets: DocumentDatasets): vscode.Disposable {
  return vscode.languages.registerHoverProvider(DATASET_SELECTOR, {
    async provideHover(document, position) {
      const dataset = datasets.get(document.uri);
      if (dataset?.version !== document.version) return undefined;
      const row = rowAt(dataset.rows, document.offsetAt(position));
      const detail = row && (await datasets.detail(document, row.row));
      if (!detail) return undefined;
      const range = new vscode.Range(document.positionAt(detail.start), document.positionAt(detail.end));
      return new vscode.Hover(describe(detail, dataset.summary.maxLength), range);
    },
  });
}

function describe({ row, tokens, labelTokens, runs, findings }: RowDetail, maxLength: number): vscode.MarkdownString {
  const markdown = new vscode.MarkdownString('', true);
  markdown.supportHtml = true;
  const length =
    tokens === null ? '' : ` · ${count(tokens)} of ${count(maxLength)} tokens · ${count(labelTokens ?? 0)} trained on`;
  markdown.appendMarkdown(`**Row ${count(row + 1)}**${length}\n\n`);
  for (const { message, hint } of findings) {
    markdown.appendMarkdown(`$(warning) ${escape(message)}${hint ? `. ${escape(hint)}` : ''}\n\n`);
  }
  if (runs.length === 0) return markdown;
  const room = Math.max(200, Math.floor(MAX_CHARACTERS / runs.length));
  markdown.appendMarkdown(`${runs.map(run => styled(run, room)).join('')}\n\n---\n\n`);
  const legend = [styled({ text: 'trained on', kind: 'trained', tokens: 0 }, room), 'context'];
  if (runs.some(({ kind }) => kind === 'cut')) legend.push(styled({ text: 'cut off', kind: 'cut', tokens: 0 }, room));
  markdown.appendMarkdown(legend.join(' · '));
  return markdown;
}

/** Bold and struck through as well as coloured, so that colour isn't the only cue. */
function styled({ text, kind }: LabelledRun, room: number): string {
  const half = room >> 1;
  const shown = text.length <= room ? text : `${text.slice(0, half)} … ${text.slice(-half)}`;
  const html = escape(shown);
  if (kind === 'trained') return `<b><span style="color:var(--vscode-charts-green);">${html}</span></b>`;
  if (kind === 'cut') return `<s><span style="color:var(--vscode-errorForeground);">${html}</span></s>`;
  return html;
}

/** Escapes text for Markdown with HTML. */
function escape(text: string): string {
  return text
    .replace(/[&<>"'`*_{}[\]()#+\-.!|~\\$:]/g, character => `&#${character.charCodeAt(0)};`)
    .replace(/ {2,}/g, spaces => '&nbsp;'.repeat(spaces.length))
    .replace(/\r?\n/g, '<br>');
}
