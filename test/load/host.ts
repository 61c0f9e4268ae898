// The extension host's part of `npm run load`, in a process of its own, with a stub in VS Code's place: `events` (a run with that many
// steps), `runs` (that many run folders) and `fixes` (quick fixes for that many rows). Prints figures as JSON. Times are CPU time, as
// other work on the machine must not count.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initialRunState } from '../../extension/src/core/runs/runState.js';
import { previewFirstRows } from '../../extension/src/host/datasets/firstRows.js';
import { registerQuickFixes } from '../../extension/src/host/datasets/quickFixes.js';
import type { DocumentDataset } from '../../extension/src/host/datasets/documentDatasets.js';
import { AnalysedDataset } from '../../extension/src/host/datasets/worker/analysedDataset.js';
import type { DatasetSummary, ReadingSettings } from '../../extension/src/host/datasets/worker/workerMessages.js';
import { registerRunContextKeys } from '../../extension/src/host/runs/runContextKeys.js';
import { FolderRun } from '../../extension/src/host/runs/folderRun.js';
import { FolderRunService } from '../../extension/src/host/runs/runService.js';
import { registerRunsTree } from '../../extension/src/host/views/runsTree.js';
import * as vscode from './vscodeStub.js';

const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

/** CPU time of some work, and the most of it between two turns of the event loop, in milliseconds. */
async function measured(work: () => unknown): Promise<{ ms: number; blockedMs: number }> {
  globalThis.gc?.();
  await new Promise(resolve => setTimeout(resolve, 50));
  let blockedMs = 0;
  let last = cpuMs();
  const turn = () => {
    const now = cpuMs();
    blockedMs = Math.max(blockedMs, now - last);
    last = now;
    next = setImmediate(turn);
  };
  let next = setImmediate(turn);
  const began = cpuMs();
  last = began;
  await work();
  await new Promise(resolve => setImmediate(resolve));
  clearImmediate(next);
  return { ms: Math.round(cpuMs() - began), blockedMs: Math.round(blockedMs) };
}

const time = '2026-01-01T00:00:00.000Z';
const FIXTURE = 'test/fixtures/runs/pirate-lora.ndjson';

async function events(folder: string, size: string) {
  const count = Number(size);
  const [started] = readFileSync(FIXTURE, 'utf8').split('\n');
  const lines = [started!];
  for (let step = 1; lines.length < count; step++)
    lines.push(
      JSON.stringify({
        ...{
          seq: step,
          time,
          type: 'step',
          step,
          epoch: step / 16,
          loss: 1 / step,
          grad_norm: 1.2345678,
          learning_rate: 1e-4,
        },
        ...{ num_tokens: 31 * step, tokens_per_second: 812.34567, step_ms: 12.345678, rss_bytes: 500_000_000 },
      }),
    );
  writeFileSync(join(folder, 'events.ndjson'), `${lines.join('\n')}\n`);
  writeFileSync(join(folder, 'run.json'), '{"name":"long"}');
  lines.length = 0;
  return { ...(await openRun(folder)), events: count };
}

/** As the dashboard does. */
async function openRun(folder: string) {
  const run = new FolderRun(folder);
  const glance = await measured(() => run.glance());
  const open = await measured(() => run.read());
  const state = await run.read();
  if (state === initialRunState) throw new Error('nothing was read');
  return {
    bytes: statSync(join(folder, 'events.ndjson')).size,
    steps: state.steps.length,
    ...{ glanceMs: glance.ms, openMs: open.ms, blockedMs: open.blockedMs },
  };
}

async function runs(folder: string, size: string) {
  const count = Number(size);
  const home = join(folder, 'runs');
  const first = join(home, 'run-0');
  mkdirSync(join(first, 'checkpoints/step-10'), { recursive: true });
  writeFileSync(join(first, 'checkpoints/step-10/state.json'), '{}');
  const fixture = readFileSync(FIXTURE, 'utf8').trim().split('\n');
  const middle = fixture.filter(line => line.includes('"type":"step"'));
  const whole = [...fixture.slice(0, -1), ...middle, ...middle, ...fixture.slice(-1)];
  writeFileSync(
    join(first, 'events.ndjson'),
    whole.map((line, seq) => `${line.replace(/"seq":\d+/, `"seq":${seq}`)}\n`).join(''),
  );
  const config = {
    name: 'pirate',
    model: 'embedded:tiny',
    dataset: { train: join(folder, 'rows.jsonl') },
    method: { peft_type: 'LORA' },
  };
  writeFileSync(join(first, 'run.json'), JSON.stringify({ ...config, training: { seed: 0 } }, null, 2));
  for (let i = 1; i < count; i++) {
    cpSync(first, join(home, `run-${i}`), { recursive: true });
    writeFileSync(join(home, `run-${i}`, 'run.json'), JSON.stringify({ ...config, training: { seed: i } }, null, 2));
  }
  vscode.workspace.workspaceFolders = [{ uri: vscode.Uri.file(folder) }];
  const noOutput = { info: () => {}, warn: () => {}, debug: () => {} };
  const before = process.memoryUsage.rss();
  let service!: FolderRunService;
  const found = await measured(async () => {
    service = new FolderRunService({} as never, {} as never, noOutput as never, {} as never);
    registerRunContextKeys(service);
    while (service.runs().length < count) await new Promise(resolve => setTimeout(resolve, 1));
  });
  const methods = { titleOf: (type: string) => type, canMerge: () => true };
  const outdated = { isOutdated: () => false, onDidChange: () => ({ dispose: () => {} }) };
  const shown = await measured(async () => {
    registerRunsTree(
      service,
      outdated as never,
      methods as never,
      { get: (_: string, absent: unknown) => absent } as never,
    );
    const tree = vscode.registered.tree as { getChildren(): Promise<unknown[]>; getTreeItem(run: unknown): unknown };
    await Promise.all((await tree.getChildren()).map(run => tree.getTreeItem(run)));
  });
  // What every poll of the folders costs from then on.
  const tick = await measured(() => service.alive());
  service.dispose();
  return {
    ...{
      runs: count,
      foundMs: found.ms,
      foundBlockedMs: found.blockedMs,
      shownMs: shown.ms,
      shownBlockedMs: shown.blockedMs,
    },
    ...{ tickMs: tick.ms, grownBytes: process.memoryUsage.rss() - before },
  };
}

class Document {
  readonly uri = vscode.Uri.file('/rows.jsonl');
  readonly version = 1;
  private readonly lines: number[] = [0];
  constructor(private readonly text: string) {
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) this.lines.push(at + 1);
  }
  getText(range?: vscode.Range): string {
    return range ? this.text.slice(this.offsetAt(range.start), this.offsetAt(range.end)) : this.text;
  }
  offsetAt({ line, character }: vscode.Position): number {
    return this.lines[line]! + character;
  }
  positionAt(offset: number): vscode.Position {
    let low = 0;
    let high = this.lines.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.lines[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return new vscode.Position(low, offset - this.lines[low]!);
  }
}

const READING: ReadingSettings = {
  ...{ format: 'auto', columns: {}, maxLength: 64, trainOn: 'all', truncation: 'end' },
  ...{ chatTemplate: null, tokenizerFolder: 'media/models/tiny', compareWith: null },
};

async function fixes(_folder: string, size: string) {
  const count = Number(size);
  // Rows as Python prints them, of which every one can be repaired.
  const row = (i: number) => `{'prompt': 'Say ${i}', 'completion': '${'abc '.repeat(20)}${i}'}`;
  const text = Array.from({ length: count }, (_, i) => `${row(i)}\n`).join('');
  let summary!: DatasetSummary;
  const dataset = new AnalysedDataset(
    now => (summary = now),
    () => Promise.resolve(null),
  );
  let rows!: DocumentDataset['rows'];
  let problems!: DocumentDataset['problems'];
  const analysed = await measured(async () => {
    dataset.start({ kind: 'text', text, fileType: 'jsonl' }, READING);
    rows = await dataset.rows(200_000);
    problems = await dataset.problems(1000);
  });
  const document = new Document(text);
  const shown = {
    uri: document.uri,
    reading: { settings: READING, runFile: null },
    summary,
    rows,
    problems,
    version: 1,
  };
  registerQuickFixes({ get: () => shown } as never);
  const provider = vscode.registered.codeActions as {
    provideCodeActions(
      document: unknown,
      range: unknown,
      context: { diagnostics: unknown[] },
    ): { title: string; edit: vscode.WorkspaceEdit }[];
    resolveCodeAction(action: unknown): Promise<unknown>;
  };
  const diagnostics = problems.map(({ start, findings }) => ({
    ...{ source: 'Tunewright', code: findings[0]!.code },
    range: new vscode.Range(document.positionAt(start), document.positionAt(start)),
  }));
  let actions: ReturnType<typeof provider.provideCodeActions> = [];
  const one = await measured(
    () => (actions = provider.provideCodeActions(document, null, { diagnostics: diagnostics.slice(0, 1) })),
  );
  const all = await measured(() => provider.provideCodeActions(document, null, { diagnostics }));
  const chosen = [];
  for (const action of actions) {
    const { ms, blockedMs } = await measured(() => provider.resolveCodeAction(action));
    chosen.push({ title: action.title, edits: action.edit.edits.length, ms, blockedMs });
  }
  return {
    rows: count,
    listed: problems.length,
    analysedMs: analysed.ms,
    offeredMs: one.ms,
    offeredForAllMs: all.ms,
    chosen,
  };
}

/** The preview of a dataset, as the worker computes it beside the host. */
async function preview(path: string) {
  const first = await measured(() => previewFirstRows(path));
  let summary!: DatasetSummary;
  const dataset = new AnalysedDataset(
    now => (summary = now),
    () => Promise.resolve(null),
  );
  const read = await measured(async () => {
    dataset.start({ kind: 'file', path }, READING);
    await dataset.fingerprints(path);
  });
  const page = await measured(() => dataset.list(summary.rows - 100, summary.rows));
  await dataset.close();
  const { rows, phase, error } = summary;
  return {
    ...{
      bytes: statSync(path).size,
      rows,
      phase,
      error,
      firstRowsMs: first.ms,
      readSeconds: Math.round(read.ms / 1000),
    },
    ...{ blockedMs: read.blockedMs, lastPageMs: page.ms },
  };
}

const PARTS = {
  ...{ events, runs, fixes },
  preview: (_folder: string, path: string) => preview(path),
  folder: (_folder: string, path: string) => openRun(path),
};
const [part, size] = process.argv.slice(2) as [keyof typeof PARTS, string];
const folder = mkdtempSync(join(tmpdir(), 'tunewright-load-'));
try {
  const figures = await PARTS[part](folder, size);
  const peak = process.resourceUsage().maxRSS * 1024;
  console.log(JSON.stringify({ ...figures, peakBytes: peak }));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit();
