// Compare Methods writes a race file that the engine reads, beside the run file or in the workspace, and never over another file.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readRaceFile } from '../../../../extension/src/engine/race/planRace.js';
import { expandRace } from '../../../../extension/src/core/race/expandRace.js';
import { compareMethods, type CompareSources } from '../../../../extension/src/host/races/compareMethods.js';
import { KnownMethods } from '../../../../extension/src/host/runFiles/knownMethods.js';
import { UntrustedWorkspaceError } from '../../../../extension/src/host/services.js';
import type { Draft } from '../../../../extension/src/protocol/runPanelMessages.js';

const editor = vi.hoisted(() => {
  class Uri {
    constructor(readonly fsPath: string) {}
    get path() {
      return this.fsPath;
    }
    static file = (path: string) => new Uri(path);
  }
  return {
    Uri,
    QuickPickItemKind: { Separator: -1 },
    workspace: { isTrusted: true, workspaceFolders: undefined as { uri: { fsPath: string } }[] | undefined },
    window: { showTextDocument: vi.fn() },
    commands: { executeCommand: vi.fn() },
  };
});
vi.mock('vscode', () => editor);
vi.mock('../../../../extension/src/host/activeFile.js', () => ({ activeFile: () => undefined }));

/** Labels that are taken in each quick pick, and the text of the input box. */
const answers = vi.hoisted(() => ({ picks: [] as (string[] | undefined)[], budget: '8 steps' as string | undefined }));
vi.mock('../../../../extension/src/host/window.js', () => ({
  showQuickPick: async (items: { label: string }[], { canPickMany }: { canPickMany?: boolean }) => {
    const labels = answers.picks.shift();
    const picked = labels && items.filter(({ label }) => labels.includes(label));
    return canPickMany ? picked : picked?.[0];
  },
  showInputBox: async () => answers.budget,
}));
vi.mock('../../../../extension/src/host/runFiles/runDocument.js', () => ({
  readRunDocument: async ({ fsPath }: { fsPath: string }) => JSON.parse(readFileSync(fsPath, 'utf8')),
}));

const root = new URL('../../../..', import.meta.url).pathname;
const methods = new KnownMethods(root);
let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'tunewright-compare-'));
  editor.workspace.isTrusted = true;
  editor.workspace.workspaceFolders = [{ uri: { fsPath: home } }];
  editor.commands.executeCommand.mockClear();
  writeFileSync(join(home, 'rows.jsonl'), '{"prompt":"a","completion":"b"}\n');
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const run = (changes: object = {}) => ({
  name: 'tone',
  model: 'embedded:tiny',
  dataset: { train: join(home, 'rows.jsonl'), validation: 0.2 },
  method: { peft_type: 'LORA', r: 4 },
  ...changes,
});
const sources = (draft: Draft = {}): CompareSources => ({
  methods,
  engine: { inspectModel: () => Promise.reject(new Error('no engine')) },
  draft: () => draft,
  drafter: { pickDataset: async () => join(home, 'rows.jsonl'), pickModel: async () => 'embedded:tiny' },
});
const written = () => readdirSync(home).filter(name => name.endsWith('.race.json'));
const entriesOf = (name: string) => {
  const { race } = readRaceFile(join(home, name));
  return expandRace(race, race.run, name);
};

function choose(entries: string[], last = 'Edit Race File'): void {
  answers.picks = [entries, ['2 seeds'], [last]];
  answers.budget = '8 steps';
}

describe('a race file', () => {
  it('of a run file names it, and is started', async () => {
    const file = join(home, 'tone.tune.json');
    writeFileSync(file, JSON.stringify(run()));
    choose(['LoRA', 'Selective', 'Rank 2', 'Rank 8', 'Select bias', 'Select norm'], 'Start Race');
    await compareMethods(editor.Uri.file(file), sources());
    expect(written()).toEqual(['tone-race.race.json']);
    expect(JSON.parse(readFileSync(join(home, 'tone-race.race.json'), 'utf8'))).toMatchObject({
      run: 'tone.tune.json',
    });
    expect([...new Set(entriesOf('tone-race.race.json').map(({ name }) => name))]).toEqual([
      'LoRA r=2',
      'LoRA r=8',
      'Selective select=bias',
      'Selective select=norm',
    ]);
    const [command, uri] = editor.commands.executeCommand.mock.calls[0]!;
    expect([command, uri.fsPath]).toEqual(['tunewright.startRace', join(home, 'tone-race.race.json')]);
  });

  it('never replaces another one', async () => {
    const file = join(home, 'tone.tune.json');
    writeFileSync(file, JSON.stringify(run()));
    writeFileSync(join(home, 'tone-race.race.json'), 'mine');
    choose(['LoRA', 'Full fine-tuning']);
    await compareMethods(editor.Uri.file(file), sources());
    expect(readFileSync(join(home, 'tone-race.race.json'), 'utf8')).toBe('mine');
    expect(entriesOf('tone-race-2.race.json')).toHaveLength(4);
  });

  it('of a run that holds no rows out has the run in it, which then holds a tenth out', async () => {
    const file = join(home, 'tone.tune.json');
    writeFileSync(file, JSON.stringify(run({ dataset: { train: join(home, 'rows.jsonl'), validation: null } })));
    choose(['LoRA', 'Rank 1']);
    await compareMethods(editor.Uri.file(file), sources());
    const { race } = readRaceFile(join(home, 'tone-race.race.json'));
    expect(race.run['dataset']).toMatchObject({ train: join(home, 'rows.jsonl'), validation: 0.1 });
  });

  it('of the run panel’s draft, or else of a dataset, has what would be proposed for each method', async () => {
    choose(['Prompt tuning']);
    await compareMethods(undefined, sources(run() as Draft));
    choose([
      'LoRA',
      'All linear modules',
      '0.3 × the learning rate of each method',
      '3 × the learning rate of each method',
    ]);
    await compareMethods(editor.Uri.file(join(home, 'rows.jsonl')), sources(run() as Draft));
    const [first, second] = written().toSorted((a, b) => b.length - a.length) as [string, string];
    const all = [...entriesOf(first), ...entriesOf(second)].filter(({ seed }) => seed === 1);
    expect(
      all.map(({ run: { method, training } }) => [method, (training as { learning_rate: number }).learning_rate]),
    ).toEqual([
      [expect.objectContaining({ target_modules: 'all-linear' }), 0.0012],
      [expect.objectContaining({ target_modules: 'all-linear' }), 0.012],
      [{ peft_type: 'PROMPT_TUNING' }, 0.17],
    ]);
  });
});

describe('nothing is written', () => {
  it.each([
    ['no entry is chosen', [undefined], '8 steps'],
    ['no number of seeds is', [['LoRA'], undefined], '8 steps'],
    ['the budget is left', [['LoRA'], ['1 seed']], undefined],
  ])('if %s', async (_, picks, budget) => {
    Object.assign(answers, { picks: [...picks], budget });
    await compareMethods(undefined, sources(run() as Draft));
    expect(written()).toEqual([]);
  });

  it('in Restricted Mode, and nothing is asked', async () => {
    editor.workspace.isTrusted = false;
    answers.picks = [['LoRA']];
    await expect(compareMethods(undefined, sources(run() as Draft))).rejects.toThrow(UntrustedWorkspaceError);
    expect(answers.picks).toHaveLength(1);
  });

  it('without a folder to keep it in, and nothing is asked', async () => {
    editor.workspace.workspaceFolders = undefined;
    choose(['LoRA']);
    await expect(compareMethods(undefined, sources(run() as Draft))).rejects.toThrow('Open a folder first');
    expect(answers.picks).toHaveLength(3);
  });
});
