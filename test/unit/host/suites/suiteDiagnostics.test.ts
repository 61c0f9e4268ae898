// Faults of suites as problems of an editor, with a fake engine.
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { SuiteDiagnostics } from '../../../../extension/src/host/suites/suiteDiagnostics.js';
import { EngineInputError, UntrustedWorkspaceError } from '../../../../extension/src/host/services.js';
import type { EngineError } from '../../../../extension/src/protocol/engineError.js';
import { FakeEmitter } from '../../../support/fakeEmitter.js';

interface FakeDocument {
  uri: { scheme: string; path: string; fsPath: string };
  version: number;
  isClosed: boolean;
  lineCount: number;
  getText(): string;
  lineAt(i: number): { text: string; range: FakeRange };
}
const fake = vi.hoisted(() => ({
  problems: new Map<unknown, { message: string; range: { start: { line: number; character: number } } }[]>(),
  workspace: {} as Record<string, unknown>,
}));
class FakePosition {
  constructor(
    readonly line: number,
    readonly character: number,
  ) {}
  translate(lines: number, characters: number) {
    return new FakePosition(this.line + lines, this.character + characters);
  }
}
class FakeRange {
  constructor(
    readonly start: FakePosition,
    readonly end: FakePosition,
  ) {}
  with(start: FakePosition) {
    return new FakeRange(start, this.end);
  }
}
vi.mock('vscode', async () => ({
  EventEmitter: (await import('../../../support/fakeEmitter.js')).FakeEmitter,
  workspace: fake.workspace,
  CancellationError: class extends Error {},
  DiagnosticSeverity: {},
  Disposable: { from: (...all: { dispose(): void }[]) => ({ dispose: () => all.forEach(each => each.dispose()) }) },
  languages: { createDiagnosticCollection: () => Object.assign(fake.problems, { dispose: () => {} }) },
  Range: class {
    constructor(
      readonly start: object,
      readonly end: object,
    ) {}
  },
  Diagnostic: class {
    constructor(
      readonly range: object,
      readonly message: string,
    ) {}
  },
}));

function documentOf(path: string, lines: string[]): FakeDocument {
  return {
    uri: { scheme: 'file', path, fsPath: path },
    ...{ version: 1, isClosed: false, lineCount: lines.length },
    getText: () => lines.join('\n'),
    lineAt: i => ({
      text: lines[i]!,
      range: new FakeRange(new FakePosition(i, 0), new FakePosition(i, lines[i]!.length)),
    }),
  };
}

let opened: FakeEmitter<FakeDocument>;
let edited: FakeEmitter<{ document: FakeDocument; contentChanges: object[] }>;
let warnings: string[];
let made: SuiteDiagnostics;
let answer: () => EngineError[];
let asked: string[];
beforeEach(() => {
  [opened, edited, warnings, asked] = [new FakeEmitter(), new FakeEmitter(), [], []];
  fake.problems.clear();
  Object.assign(fake.workspace, {
    textDocuments: [],
    onDidOpenTextDocument: opened.event,
    onDidChangeTextDocument: edited.event,
    onDidCloseTextDocument: new FakeEmitter().event,
    onDidGrantWorkspaceTrust: new FakeEmitter().event,
  });
  const checkSuite = async (path: string) => {
    asked.push(path);
    return { rows: [], faults: answer() };
  };
  made = new SuiteDiagnostics({ checkSuite }, { warn: (text: string) => void warnings.push(text) } as never);
});
afterEach(() => made.dispose());

const line = '{"prompt": "a", "checks": [{"type": "regx"}]}';
const placed = (document: FakeDocument) =>
  fake.problems
    .get(document.uri)
    ?.map(({ message, range: { start } }) => [message, start.line, start.character] as const);

test('a fault is at the value that its key names, else at the nearest part or the line', async () => {
  const document = documentOf('/tone.eval.jsonl', ['', line]);
  const code = 'bad_input';
  answer = () => [
    { code, message: 'unknown check', line: 2, key: 'checks.0.type', hint: 'Known checks: exact.' },
    { code, message: 'is missing', line: 2, key: 'checks.0.value' },
    { code, message: 'expected a comma', line: 2, column: 5 },
    { code, message: 'no rows' },
  ];
  opened.fire(document);
  await setTimeout(0);
  expect(placed(document)).toEqual([
    ['checks.0.type: unknown check. Known checks: exact.', 1, line.indexOf('"regx"')],
    ['checks.0.value: is missing', 1, line.indexOf('{"type"')],
    ['expected a comma', 1, 4],
    ['no rows', 0, 0],
  ]);
});

test('an edit is checked again; a dataset of that name is left to datasets', async () => {
  const document = documentOf('/tone.eval.jsonl', [line]);
  answer = () => [];
  opened.fire(documentOf('/split.eval.jsonl', ['{"prompt": "a", "completion": "b"}']));
  opened.fire(documentOf('/tone.jsonl', [line]));
  edited.fire({ document, contentChanges: [{}] });
  edited.fire({ document, contentChanges: [{}] });
  await vi.waitFor(() => expect(asked).toEqual(['/tone.eval.jsonl']));
});

test('what the engine refuses is a problem; Restricted Mode isn’t', async () => {
  const document = documentOf('/tone.eval.jsonl', [line]);
  answer = () => {
    throw new EngineInputError({ code: 'bad_input', message: 'the row is too long', line: 1 });
  };
  opened.fire(document);
  await setTimeout(0);
  expect(placed(document)).toEqual([['the row is too long', 0, 0]]);
  answer = () => {
    throw new UntrustedWorkspaceError('restricted');
  };
  const other = documentOf('/other.eval.jsonl', [line]);
  opened.fire(other);
  await setTimeout(0);
  expect([placed(other), warnings]).toEqual([undefined, []]);
});
