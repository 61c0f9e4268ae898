// The hover over a row: the text as the model reads it, what is learnt told apart from what is given and what is cut off, and
// the row's length against max_length.
import * as vscode from 'vscode';
import type { LabelledRun } from '../../core/data/rowAnalysis.js';
import { count } from '../../core/units.js';
import { datasetSelector, rowAt, type DocumentDatasets } from './documentDatasets.js';
import type { RowDetail } from './worker/workerMessages.js';

/** Longer texts are cut in the hover, each stretch at its middle. */
const shownCharacters = 6000;

export function registerHover(datasets: DocumentDatasets): vscode.Disposable {
  return vscode.languages.registerHoverProvider(datasetSelector, {
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
    tokens === null ? '' : ` · ${count(tokens)} of ${count(maxLength)} tokens · ${count(labelTokens ?? 0)} learnt`;
  markdown.appendMarkdown(`**Row ${count(row + 1)}**${length}\n\n`);
  for (const { message, hint } of findings) {
    markdown.appendMarkdown(`$(warning) ${escape(message)}${hint ? `. ${escape(hint)}` : ''}\n\n`);
  }
  if (runs.length === 0) return markdown;
  const room = Math.max(200, Math.floor(shownCharacters / runs.length));
  markdown.appendMarkdown(`${runs.map(run => styled(run, room)).join('')}\n\n---\n\n`);
  const legend = [styled({ text: 'learnt', kind: 'trained', tokens: 0 }, room), 'given'];
  if (runs.some(({ kind }) => kind === 'cut')) legend.push(styled({ text: 'cut off', kind: 'cut', tokens: 0 }, room));
  markdown.appendMarkdown(legend.join(' · '));
  return markdown;
}

/** By weight and strike as well as by colour, for those who can't tell colours apart. */
function styled({ text, kind }: LabelledRun, room: number): string {
  const half = room >> 1;
  const shown = text.length <= room ? text : `${text.slice(0, half)} … ${text.slice(-half)}`;
  const html = escape(shown);
  if (kind === 'trained') return `<b><span style="color:var(--vscode-charts-green);">${html}</span></b>`;
  if (kind === 'cut') return `<s><span style="color:var(--vscode-errorForeground);">${html}</span></s>`;
  return html;
}

/** Text for Markdown with HTML: nothing in it may be taken for either. */
function escape(text: string): string {
  return text
    .replace(/[&<>"'`*_{}[\]()#+\-.!|~\\$:]/g, character => `&#${character.charCodeAt(0)};`)
    .replace(/ {2,}/g, spaces => '&nbsp;'.repeat(spaces.length))
    .replace(/\r?\n/g, '<br>');
}
