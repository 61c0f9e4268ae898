// Suites in the Test Explorer, with fake sessions: files and rows, who is asked what, and what the results say.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test, vi } from 'vitest';
import { EngineInputError } from '../../../../extension/src/host/services.js';
import type { RunModel, SuiteResults } from '../../../../extension/src/protocol/answers.js';
import { SuiteTests } from '../../../../extension/src/host/suites/suiteTests.js';
import type {
  JudgedAnswer,
  SessionSettings,
  SuiteQuestions,
} from '../../../../extension/src/protocol/sessionMessages.js';
import { FakeEmitter } from '../../../support/fakeEmitter.js';
import type { FakeController } from '../../../support/fakeTests.js';

const fake = vi.hoisted(() => ({
  CancellationError: class extends Error {},
  files: [] as { fsPath: string }[],
  picked: undefined as unknown,
  asked: [] as { label: string; picked?: boolean }[],
}));
vi.mock('vscode', async () => {
  const { FakeController: Controller } = await import('../../../support/fakeTests.js');
  const listen = () => ({ dispose: () => {} });
  const uri = (path: string) => ({ scheme: 'file', path, fsPath: path, toString: () => path });
  return {
    CancellationError: fake.CancellationError,
    EventEmitter: (await import('../../../support/fakeEmitter.js')).FakeEmitter,
    Uri: { file: uri },
    Range: class {
      readonly start: object;
      constructor(line: number) {
        this.start = { line };
      }
    },
    Disposable: { from: () => ({ dispose: () => {} }) },
    TestRunProfileKind: { Run: 1 },
    TestMessage: class {
      static diff = (message: string, expected: string, actual: string) => ({ message, expected, actual });
      constructor(readonly message: string) {}
    },
    tests: { createTestController: () => new Controller() },
    workspace: {
      textDocuments: [],
      asRelativePath: ({ fsPath }: { fsPath: string }) => fsPath.split('/').at(-1),
      createFileSystemWatcher: () => ({ onDidCreate: listen, onDidChange: listen, onDidDelete: listen }),
      findFiles: async () => fake.files,
      getConfiguration: () => ({ get: () => '' }),
      getWorkspaceFolder: () => ({ uri: { fsPath: '/workspace' } }),
    },
    window: {
      showQuickPick: async (items: Promise<{ label: string; item: unknown }[]>) => {
        fake.asked = await items;
        return fake.picked === undefined
          ? undefined
          : fake.asked.filter(({ label }) => label.endsWith(String(fake.picked)));
      },
    },
  };
});

const folder = mkdtempSync(join(tmpdir(), 'tunewright-explorer-'));
afterAll(() => rmSync(folder, { recursive: true }));
const suite = join(folder, 'tone.eval.jsonl');
writeFileSync(suite, '{"prompt": "a", "checks": []}\n');
const uri = { scheme: 'file', path: suite, fsPath: suite, toString: () => suite };

/** A run with a result, and a checkpoint if asked. */
function run(name: string, config: object, step?: number) {
  const path = join(folder, name);
  mkdirSync(join(path, 'adapter'), { recursive: true });
  if (step !== undefined) {
    mkdirSync(join(path, 'checkpoints', `step-${step}`), { recursive: true });
    writeFileSync(join(path, 'checkpoints', `step-${step}`, 'state.json'), '{}');
  }
  const glance = () => ({ completed: { adapter: 'adapter' } });
  return { folder: path, name, config, startedMs: 0, glance };
}

const answerOf = (id: string, line: number, reason?: string): JudgedAnswer => ({
  ...{ id, line, seconds: 0.5, answer: `${id}!`, expected: null, passed: reason === undefined, score: 1 },
  checks: [
    { type: 'regex', passed: true, score: 1, expected: null },
    ...(reason === undefined ? [] : [{ type: 'exact', passed: false, score: 0, expected: 'b', reason }]),
  ],
});

let opened: SessionSettings[];
let loads: string[];
let questions: SuiteQuestions[];
let failure: Error | null;
let memory: Map<string, unknown>;
/** Folders of which the engine compared the answers, and what it says. */
let compared: (readonly string[])[];
let results: SuiteResults;
const checked = new FakeEmitter<object>();
beforeEach(() => {
  [opened, loads, questions, failure, memory] = [[], [], [], null, new Map()];
  [compared, results] = [[], []];
  [fake.files, fake.picked] = [[uri as never], undefined];
});

function suiteTests(runs: object[] = []) {
  const session = {
    load: async (_name: string, path: string) => void loads.push(path),
    answerSuite: async (asked: SuiteQuestions, { onProgress }: { onProgress(row: JudgedAnswer): void }) => {
      questions.push(asked);
      onProgress(answerOf('a', 1));
      if (failure) throw failure;
      if (asked.ids === null || asked.ids.includes('b')) onProgress(answerOf('b', 3, 'is not "b"'));
      return ['one was cut off'];
    },
    dispose: () => {},
  };
  const rows = ['a', 'b'].map((id, i) => ({ id, line: 1 + 2 * i }));
  const tests = new SuiteTests({
    engine: {
      checkSuite: async () => ({ rows, faults: [] }),
      suiteResults: async folders => {
        compared.push(folders);
        return results;
      },
    },
    runs: { runs: () => runs as never },
    sessions: {
      open: async (settings: SessionSettings) => {
        opened.push(settings);
        return session as never;
      },
    },
    state: {
      get: (key: string, or: unknown) => memory.get(key) ?? or,
      update: async (k: string, v: unknown) => void memory.set(k, v),
    } as never,
    diagnostics: { onDidCheck: checked.event } as never,
  });
  const controller = tests.controller as unknown as FakeController;
  const start = (profile: 'base' | 'chosen', request: object = {}) =>
    (tests.profiles[profile] as unknown as { runHandler(request: object, token: object): Promise<void> }).runHandler(
      request,
      {},
    );
  return { tests, controller, start };
}

test('files are suites, and rows are read when they are shown or edited', async () => {
  const dataset = join(folder, 'split.eval.jsonl');
  writeFileSync(dataset, '{"prompt": "a", "completion": "b"}\n');
  fake.files.push({ ...uri, fsPath: dataset, path: dataset, toString: () => dataset } as never);
  const { controller } = suiteTests();
  await controller.resolveHandler();
  expect([...controller.items].map(([, { label }]) => label)).toEqual(['tone']);
  const file = controller.items.get(suite)!;
  expect(file.children.size).toBe(0);
  await controller.resolveHandler(file);
  expect([...file.children].map(([, { label, range }]) => [label, range!.start.line])).toEqual([
    ['a', 0],
    ['b', 2],
  ]);
  const faults = [{ line: 2, message: 'unknown check' }];
  checked.fire({
    uri,
    checked: {
      rows: [
        { id: 'a', line: 4 },
        { id: 'x\0$(zap)', line: 6 },
      ],
      faults,
    },
  });
  expect([...file.children].map(([, { label, range }]) => [label, range!.start.line])).toEqual([
    ['a', 3],
    ['x\\x00$\u200b(zap)', 5],
  ]);
  expect(file.error).toBe('Line 2: unknown check');
});

test('the base answers all rows; a failed check is a diff with its expected text', async () => {
  const { controller, start } = suiteTests();
  await start('base');
  expect(opened).toMatchObject([{ model: 'embedded:tiny', folder: '/workspace' }]);
  expect(questions).toEqual([
    { suite, ids: null, adapter: null, keep_in: [], keep_as: 'embedded:tiny, float32, float32' },
  ]);
  expect(controller.runs).toEqual([['base (embedded:tiny)', 'passed a', 'failed b', 'end']]);
  expect(controller.messages).toEqual([{ message: 'exact: is not "b"', expected: 'b', actual: 'b!' }]);
  expect(controller.output).toContain('FAILED  b\r\n    b!\r\n');
  expect(controller.output).toContain('Warning: one was cut off');
});

test('some rows; what was left out isn’t asked', async () => {
  const { controller, start } = suiteTests();
  await controller.resolveHandler();
  const file = controller.items.get(suite)!;
  await controller.resolveHandler(file);
  const [a, b] = [file.children.get('"a"')!, file.children.get('"b"')!];
  await start('base', { include: [a] });
  await start('base', { include: [file], exclude: [b] });
  await start('base', { include: [file], exclude: [] });
  expect(questions.map(({ ids }) => ids)).toEqual([['a'], ['a'], null]);
});

test('the base is that of the run that names the suite, else of a chosen run', async () => {
  const other = run('other', { model: 'org/other' });
  const named = run('named', { model: 'org/named', dataset: { suites: [suite] }, engine: { base_weights: 'int8' } });
  memory.set('tunewright.testedModels', [{ run: other.folder, step: null }]);
  await suiteTests([other]).start('base');
  await suiteTests([other, named]).start('base');
  expect(opened.map(({ model, base_weights: weights }) => [model, weights])).toEqual([
    ['org/other', 'float32'],
    ['org/named', 'int8'],
  ]);
});

test('results and checkpoints are chosen once, and asked each in a run of its own; reports stay with results', async () => {
  const first = run('first', { model: 'org/base' }, 20);
  const whole = run('whole', { model: 'org/base' });
  writeFileSync(join(whole.folder, 'adapter', 'config.json'), '{}');
  const { controller, start } = suiteTests([first, whole]);
  await start('chosen');
  expect(controller.runs, 'none chosen').toEqual([]);
  fake.picked = '';
  await start('chosen');
  expect(fake.asked.map(({ label }) => label)).toEqual([
    '$(extensions) first',
    '$(history) first, step 20',
    '$(extensions) whole',
  ]);
  fake.asked = [];
  await start('chosen');
  expect(fake.asked, 'remembered').toEqual([]);
  expect(controller.runs.slice(3).map(([name]) => name)).toEqual(['first', 'first, step 20', 'whole']);
  const adapters = [join(first.folder, 'adapter'), join(first.folder, 'checkpoints', 'step-20')];
  expect(loads.slice(2)).toEqual(adapters);
  expect(opened.slice(3).map(({ model }) => model)).toEqual(['org/base', 'org/base', join(whole.folder, 'adapter')]);
  expect(questions.slice(3).map(({ adapter, keep_in: kept, keep_as: as }) => [adapter, kept, as])).toEqual([
    [adapters[0], [first.folder], 'result'],
    [adapters[1], [first.folder], 'step 20'],
    [null, [whole.folder], 'result'],
  ]);
});

test('a model that answered all rows is compared with the others of its runs, and results with each other', async () => {
  const [first, second] = [run('first', { model: 'org/base' }), run('second', { model: 'org/base' })];
  const int8 = run('int8', { model: 'org/base', engine: { base_weights: 'int8' } });
  memory.set(
    'tunewright.testedModels',
    [first, second].map(({ folder: path }) => ({ run: path, step: null })),
  );
  const model = ({ folder: path }: { folder: string }, kind: RunModel['kind']) => ({ folder: path, kind, step: null });
  const figures = { wins: 1, losses: 0, ties: 1, p_value: 1, interval: [-0.1, 0.9] as [number, number] };
  const pair = (a: RunModel, b: RunModel) => ({ ...figures, a, b });
  const comparisons = [
    pair(model(first, 'result'), model(first, 'base')),
    pair(model(second, 'result'), model(second, 'base')),
    pair(model(first, 'result'), model(second, 'result')),
  ];
  results = [
    { file: suite, models: [], comparisons },
    { file: '/other.eval.jsonl', models: [], comparisons },
  ];
  const { tests, controller, start } = suiteTests([first, second, int8]);
  let told = 0;
  tests.onDidAnswer(() => told++);
  await start('base');
  expect(questions[0]).toMatchObject({ keep_in: [folder], keep_as: 'org/base, float32, float32' });
  const lines = () => controller.output.match(/^\w+ against .*(?=\r)/gm) ?? [];
  const words = '1 win, 0 losses, 1 tie (p = 1.0); score -0.100 to +0.900 at 95%: no difference shown';
  expect(lines()).toEqual([`first against base: ${words}`, `second against base: ${words}`]);
  await start('chosen');
  expect(compared).toEqual(
    Array.from({ length: 3 }, () => [first.folder, second.folder]).with(2, [second.folder, first.folder]),
  );
  expect(lines().slice(2)).toEqual([
    `first against base: ${words}`,
    `first against second: ${words}`,
    `second against base: ${words}`,
    `first against second: ${words}`,
  ]);
  await start('base', { include: [controller.items.get(suite)!.children.get('"a"')!] });
  expect([compared.length, told], 'not after some rows').toEqual([3, 3]);
});

test.each<[string, Error, string[]]>([
  [
    'an error at a row is that row’s',
    new EngineInputError({ code: 'bad_input', message: 'too long', line: 3 }),
    ['errored b'],
  ],
  ['another error is that of all left', new Error('the engine has ended'), ['errored b']],
  ['what is cancelled is skipped', new fake.CancellationError(), ['skipped b']],
])('%s', async (_, error, said) => {
  const { controller, start } = suiteTests();
  failure = error;
  await start('base');
  expect(controller.runs[0]!.slice(1)).toEqual(['passed a', ...said, 'end']);
});
