// Evaluation suites in the Test Explorer: a file is a suite, a test is a row. Answers come from the sessions of this window, verdicts
// from the engine, row by row.
import * as vscode from 'vscode';
import { comparisonText } from '../../core/evaluation/comparisonText.js';
import { SUITE_EXTENSION } from '../../core/evaluation/isSuiteRow.js';
import { harmlessText, visibleControls } from '../../core/harmlessText.js';
import type { RunModel } from '../../protocol/answers.js';
import type { CheckedSuite } from '../../protocol/residentMessages.js';
import type { JudgedAnswer } from '../../protocol/sessionMessages.js';
import { EngineInputError, type EngineService, type RunService, type SessionService } from '../services.js';
import { OTHER_FOLDERS } from '../datasets/workspaceDatasets.js';
import type { SuiteDiagnostics } from './suiteDiagnostics.js';
import { SUITE_FILES, suiteText } from './suiteFiles.js';
import { baseOf, chosenModel, keptAt, pickTested, type Choice, type TestedModel } from './testedModels.js';

const CHOSEN_KEY = 'tunewright.testedModels';
const MAX_SUITES = 500;
/** Faults that the tooltip of a file lists. */
const SHOWN_FAULTS = 5;

export interface SuiteTestParts {
  engine: Pick<EngineService, 'checkSuite' | 'suiteResults'>;
  runs: Pick<RunService, 'runs'>;
  sessions: Pick<SessionService, 'open'>;
  state: vscode.Memento;
  /** Checks suites as they are edited. */
  diagnostics: Pick<SuiteDiagnostics, 'onDidCheck'>;
}

/** The rows of one file that a test run asks. */
interface Asked {
  file: vscode.TestItem;
  rows: readonly vscode.TestItem[];
  /** All of the file. */
  isWhole: boolean;
}

export class SuiteTests implements vscode.Disposable {
  readonly controller = vscode.tests.createTestController('tunewright', 'Tunewright');
  readonly profiles: Readonly<Record<'base' | 'chosen', vscode.TestRunProfile>>;
  private readonly answered = new vscode.EventEmitter<void>();
  /** A model has answered a whole suite, and reports of it may be new. */
  readonly onDidAnswer = this.answered.event;
  private readonly subscriptions: vscode.Disposable[];

  constructor(private readonly parts: SuiteTestParts) {
    const { controller } = this;
    const { Run } = vscode.TestRunProfileKind;
    controller.resolveHandler = item => (item ? this.readRows(item) : this.find());
    controller.refreshHandler = () => this.find();
    const base = controller.createRunProfile(
      'Base',
      Run,
      (request, token) => this.run(request, token, suite => [this.base(suite)]),
      true,
    );
    const chosen = controller.createRunProfile('Results and Checkpoints', Run, async (request, token) => {
      const models = this.chosenModels();
      const asked = models.length > 0 ? models : await this.choose();
      await this.run(request, token, () => asked);
    });
    chosen.configureHandler = () => void this.choose();
    this.profiles = { base, chosen };
    const watcher = vscode.workspace.createFileSystemWatcher(SUITE_FILES);
    this.subscriptions = [
      controller,
      this.answered,
      watcher,
      watcher.onDidCreate(uri => void this.refresh(uri)),
      watcher.onDidChange(uri => void this.refresh(uri)),
      watcher.onDidDelete(uri => controller.items.delete(uri.toString())),
      parts.diagnostics.onDidCheck(({ uri, checked }) => this.show(this.fileItem(uri), checked)),
    ];
  }

  dispose(): void {
    vscode.Disposable.from(...this.subscriptions).dispose();
  }

  /** The suites of the workspace; their rows are read when they are shown. */
  private async find(): Promise<void> {
    const uris = await vscode.workspace.findFiles(SUITE_FILES, OTHER_FOLDERS, MAX_SUITES);
    const suites = uris.filter(uri => suiteText(uri) !== null);
    this.controller.items.replace(suites.map(uri => this.fileItem(uri)));
  }

  private async refresh(uri: vscode.Uri): Promise<void> {
    if (suiteText(uri) === null) return this.controller.items.delete(uri.toString());
    const item = this.fileItem(uri);
    // Those that weren't shown yet are read when they are.
    if (item.children.size > 0) await this.readRows(item);
  }

  private fileItem(uri: vscode.Uri): vscode.TestItem {
    const { items } = this.controller;
    const known = items.get(uri.toString());
    if (known) return known;
    const label = harmlessText(vscode.workspace.asRelativePath(uri).slice(0, -SUITE_EXTENSION.length));
    const item = this.controller.createTestItem(uri.toString(), label, uri);
    item.canResolveChildren = true;
    items.add(item);
    return item;
  }

  private async readRows(item: vscode.TestItem): Promise<void> {
    const uri = item.uri!;
    const text = suiteText(uri);
    if (text === null) return this.controller.items.delete(item.id);
    item.busy = true;
    try {
      this.show(item, await this.parts.engine.checkSuite(uri.fsPath, text));
    } catch (error) {
      item.error = harmlessText((error as Error).message);
    } finally {
      item.busy = false;
    }
  }

  private show(file: vscode.TestItem, { rows, faults }: CheckedSuite): void {
    const items = rows.map(({ id, line }) => {
      const itemId = itemIdOf(id);
      const item = file.children.get(itemId) ?? this.controller.createTestItem(itemId, harmlessText(id), file.uri);
      item.range = new vscode.Range(line - 1, 0, line - 1, 0);
      item.sortText = String(line).padStart(8, '0');
      return item;
    });
    file.children.replace(items);
    const shown = faults.slice(0, SHOWN_FAULTS).map(({ line, message }) => `Line ${line}: ${message}`);
    const more = faults.length > SHOWN_FAULTS ? [`and ${faults.length - SHOWN_FAULTS} more`] : [];
    file.error = faults.length === 0 ? undefined : harmlessText([...shown, ...more].join('\n'));
  }

  private get chosen(): readonly Choice[] {
    return this.parts.state.get<readonly Choice[]>(CHOSEN_KEY, []);
  }

  private base(suite: string): TestedModel {
    return baseOf(suite, this.parts.runs.runs(), this.chosen);
  }

  private chosenModels(): TestedModel[] {
    const runs = this.parts.runs.runs();
    return this.chosen.flatMap(choice => chosenModel(choice, runs) ?? []);
  }

  /** Asks for results and checkpoints, and remembers them. */
  private async choose(): Promise<TestedModel[]> {
    const picked = await pickTested(this.parts.runs.runs(), this.chosen);
    if (!picked) return [];
    await this.parts.state.update(CHOSEN_KEY, picked);
    return this.chosenModels();
  }

  /** Each model is a run of its own in the results, as it has answers of its own. */
  private async run(
    request: vscode.TestRunRequest,
    token: vscode.CancellationToken,
    modelsOf: (suite: string) => readonly TestedModel[],
  ): Promise<void> {
    const tasks = new Map<string, { model: TestedModel; asked: Asked[] }>();
    for (const asked of await this.askedIn(request)) {
      for (const model of modelsOf(asked.file.uri!.fsPath)) {
        const key = JSON.stringify(model);
        const task = tasks.get(key) ?? { model, asked: [] };
        task.asked.push(asked);
        tasks.set(key, task);
      }
    }
    for (const { model, asked } of tasks.values()) {
      const run = this.controller.createTestRun(request, harmlessText(model.name));
      for (const { rows } of asked) rows.forEach(row => run.enqueued(row));
      try {
        for (const each of asked) await this.ask(model, each, run, token);
      } finally {
        run.end();
      }
    }
  }

  /** The rows of the request, by file. Files are saved, since the engine reads them. */
  private async askedIn({ include, exclude }: vscode.TestRunRequest): Promise<Asked[]> {
    if (!include) await this.find();
    const wanted = include ?? [...this.controller.items].map(([, item]) => item);
    const files = new Set(wanted.map(item => item.parent ?? item));
    const asked: Asked[] = [];
    for (const file of files) {
      const document = vscode.workspace.textDocuments.find(open => open.uri.toString() === file.id);
      if (document?.isDirty) await document.save();
      if (file.children.size === 0) await this.readRows(file);
      const all = [...file.children].map(([, row]) => row);
      const isAsked = (row: vscode.TestItem) => wanted.includes(file) || wanted.includes(row);
      const isLeftOut = (row: vscode.TestItem) => exclude?.some(item => item === row || item === file) ?? false;
      const rows = all.filter(row => isAsked(row) && !isLeftOut(row));
      if (rows.length > 0) asked.push({ file, rows, isWhole: rows.length === all.length });
    }
    return asked;
  }

  private async ask(
    model: TestedModel,
    { file, rows, isWhole }: Asked,
    run: vscode.TestRun,
    token: vscode.CancellationToken,
  ): Promise<void> {
    const waiting = new Map(rows.map(row => [rowIdOf(row), row]));
    const onProgress = (judged: JudgedAnswer) => {
      const row = waiting.get(judged.id);
      waiting.delete(judged.id);
      if (row) report(run, row, judged);
    };
    const suite = file.uri!.fsPath;
    tell(run, `${model.name}: ${suite}`);
    try {
      const session = await this.parts.sessions.open(model.settings, { token });
      try {
        if (model.adapter !== null) await session.load(model.adapter, model.adapter);
        rows.forEach(row => run.started(row));
        const ids = isWhole ? null : rows.map(rowIdOf);
        const questions = { suite, ids, adapter: model.adapter, ...keptAt(model) };
        const warnings = await session.answerSuite(questions, { token, onProgress });
        for (const warning of warnings) tell(run, `Warning: ${warning}`);
        if (isWhole) {
          this.answered.fire();
          for (const text of await this.comparisons(model, suite)) tell(run, text);
        }
      } finally {
        session.dispose();
      }
    } catch (error) {
      if (!(error instanceof vscode.CancellationError)) failAt(run, waiting, error as Error);
    }
    for (const row of waiting.values()) run.skipped(row);
  }

  /** The model against others of its runs, and a result against those of the chosen runs, as far as they have answered the same rows. */
  private async comparisons({ runs: own, kind, step }: TestedModel, suite: string): Promise<string[]> {
    const runs = this.parts.runs.runs();
    const folders = [...new Set([...own, ...this.chosen.map(({ run }) => run)])];
    const results = await this.parts.engine.suiteResults(folders);
    const isAsked = (other: RunModel) => other.kind === kind && other.step === step && own.includes(other.folder);
    const nameOf = (other: RunModel) =>
      other.kind === 'base' ? 'base' : (chosenModel({ run: other.folder, step: other.step }, runs)?.name ?? '');
    return results
      .filter(({ file }) => file === suite)
      .flatMap(({ comparisons }) => comparisons)
      .filter(({ a, b }) => isAsked(a) || isAsked(b))
      .map(each => comparisonText({ ...each, a: nameOf(each.a), b: nameOf(each.b) }));
  }
}

/** VS Code refuses some characters in ids of tests. */
function itemIdOf(id: string): string {
  return JSON.stringify(id);
}

function rowIdOf(item: vscode.TestItem): string {
  return JSON.parse(item.id) as string;
}

function report(run: vscode.TestRun, row: vscode.TestItem, judged: JudgedAnswer): void {
  const { passed, answer, seconds } = judged;
  tell(run, `${passed ? 'passed' : 'FAILED'}  ${judged.id}\n${answer.replaceAll(/^/gm, '    ')}`, row);
  if (passed) run.passed(row, seconds * 1000);
  else run.failed(row, messagesOf(judged), seconds * 1000);
}

/** A message for each check that isn't met, with a diff if it, or the row, has an expected text. */
function messagesOf({ checks, answer, expected: ofRow }: JudgedAnswer): vscode.TestMessage[] {
  return checks
    .filter(({ passed }) => !passed)
    .map(({ type, reason, expected }) => {
      const why = harmlessText(`${type}: ${reason ?? 'not met'}`);
      const wanted = expected ?? ofRow;
      return wanted === null
        ? new vscode.TestMessage(`${why}\n\n${harmlessText(answer)}`)
        : vscode.TestMessage.diff(why, wanted, answer);
    });
}

/** Marks the row that an error names, else all that wait for an answer. */
function failAt(run: vscode.TestRun, waiting: Map<string, vscode.TestItem>, error: Error): void {
  tell(run, error.message);
  const line = error instanceof EngineInputError ? error.record.line : undefined;
  const named = [...waiting.values()].filter(({ range }) => line !== undefined && range?.start.line === line - 1);
  for (const row of named.length > 0 ? named : [...waiting.values()]) {
    waiting.delete(rowIdOf(row));
    run.errored(row, new vscode.TestMessage(harmlessText(error.message)));
  }
}

/** A line in the terminal of the results. */
function tell(run: vscode.TestRun, text: string, row?: vscode.TestItem): void {
  run.appendOutput(`${visibleControls(text).replaceAll('\n', '\r\n')}\r\n`, undefined, row);
}
