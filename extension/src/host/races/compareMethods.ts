// Compare Methods...: asks what to compare on the model and dataset of a run file, a dataset or the run panel's draft, writes a race file
// beside it, and starts the race or opens the file.
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import * as vscode from 'vscode';
import { parseBudget, proposeRace, type ComparedMethod, type Comparison } from '../../core/race/proposeRace.js';
import { block, peftTypeOf } from '../../core/runs/runFileKeys.js';
import { counted } from '../../core/units.js';
import type { Draft } from '../../protocol/runPanelMessages.js';
import { activeFile } from '../activeFile.js';
import { proposal, proposals, type ProposalSources, type RunDrafter } from '../commands/runDraft.js';
import type { KnownMethods } from '../runFiles/knownMethods.js';
import { readRunDocument } from '../runFiles/runDocument.js';
import { withRelativePaths } from '../runFiles/runFilePaths.js';
import { requireTrust, trusted } from '../trustedActions.js';
import { showInputBox, showQuickPick, type PickItem } from '../window.js';
import { textOf } from '../../core/forms/formField.js';

type Json = Record<string, unknown>;

const TITLE = 'Compare Methods';
const RANKS = [1, 2, 4, 8, 16, 32];
const RATE_FACTORS = [0.3, 1, 3];
const SEEDS = [1, 2, 3, 5];

/** The run to vary; `file` if it is a run file's. */
interface Base {
  run: Json;
  file: string | null;
}

export interface CompareSources extends ProposalSources {
  drafter: Pick<RunDrafter, 'pickModel' | 'pickDataset'>;
  /** The run panel's. */
  draft(): Draft;
}

/** @param uri of a run file or a dataset; without one, the run file in the editor, the draft, or the user's choice */
export async function compareMethods(uri: unknown, sources: CompareSources): Promise<void> {
  requireTrust();
  const base = await baseOf(uri, sources);
  if (!base) return;
  const home = homeOf(base);
  const comparison = await askComparison(base.run, sources);
  if (!comparison) return;
  const file = writeRaceFile(base, home, comparison);
  const begin = {
    icon: 'play',
    label: 'Start Race',
    detail: 'Trains the runs one after the other, and shows the race',
  };
  const edit = { icon: 'json', label: 'Edit Race File', detail: `${basename(file)}, with completion` };
  const answer = await showQuickPick([begin, edit], { title: `${TITLE}: ${basename(file)}` });
  if (answer === begin) await vscode.commands.executeCommand('tunewright.startRace', vscode.Uri.file(file));
  else await vscode.window.showTextDocument(vscode.Uri.file(file));
}

async function baseOf(uri: unknown, sources: CompareSources): Promise<Base | undefined> {
  const { methods, drafter, draft } = sources;
  const given = uri instanceof vscode.Uri ? uri : undefined;
  const runFile = given ?? activeFile();
  if (runFile?.path.endsWith('.tune.json'))
    return { run: (await readRunDocument(runFile)) as Json, file: runFile.fsPath };
  const shown = draft();
  if (!given && typeof shown['model'] === 'string' && block(shown, 'dataset')['train'])
    return { run: shown, file: null };
  const train = given?.fsPath ?? (await drafter.pickDataset(`${TITLE}: Dataset`));
  const model = train && (await drafter.pickModel(`${TITLE}: Model`));
  return model ? { run: await proposal({ model, train, peft_type: methods.first }, sources), file: null } : undefined;
}

type Item = PickItem & { of?: (comparison: Comparison) => Comparison };

async function askComparison(run: Json, sources: ProposalSources): Promise<Comparison | undefined> {
  const model = textOf(run['model']);
  const train = textOf(block(run, 'dataset')['train']);
  const { methods } = sources;
  const proposed = await proposals({ model, train }, sources);
  const compared = methods.all.map(({ peftType, title, keys }): ComparedMethod => ({
    peftType,
    title,
    keys,
    proposed: proposed(peftType),
  }));
  const items = itemsOf(compared, methods, peftTypeOf(run));
  const picked = await showQuickPick(items, {
    title: `${TITLE}: Entries`,
    placeHolder: 'Choose methods, and options to vary in those that have them',
    canPickMany: true,
  });
  if (!picked || picked.length === 0) return undefined;
  const seeds = await showQuickPick(
    SEEDS.map(number => ({
      label: counted(number, 'seed'),
      ...(number === 1 && { description: 'a small difference may be chance' }),
      number,
    })),
    { title: `${TITLE}: Seeds`, placeHolder: 'How often is each entry trained?' },
  );
  const text = seeds && (await askBudget());
  if (text === undefined) return undefined;
  const none: Comparison = {
    methods: [],
    options: {},
    rateFactors: [],
    seeds: seeds!.number,
    budget: parseBudget(text),
  };
  const chosen = picked.reduce((comparison, { of }) => of?.(comparison) ?? comparison, none);
  const own = compared.filter(({ peftType }) => peftType === peftTypeOf(run));
  return chosen.methods.length > 0 ? chosen : { ...chosen, methods: own };
}

function itemsOf(compared: readonly ComparedMethod[], methods: KnownMethods, own: string): Item[] {
  const heading = (label: string): Item => ({ label, kind: vscode.QuickPickItemKind.Separator });
  const option = (key: string, value: unknown, label: string, description: string): Item => ({
    ...{ label, description },
    of: comparison => {
      const options = { ...comparison.options, [key]: [...(comparison.options[key] ?? []), value] };
      return { ...comparison, options };
    },
  });
  const titles = (key: string) => {
    const having = compared.filter(({ keys }) => keys.includes(key));
    return having.map(({ title }) => title).join(', ');
  };
  return [
    heading('Methods'),
    ...compared.map(method => ({
      label: method.title,
      description: method.peftType === own ? 'as in the run file' : method.peftType,
      picked: method.peftType === own,
      of: (comparison: Comparison) => ({ ...comparison, methods: [...comparison.methods, method] }),
    })),
    heading('Ranks'),
    ...RANKS.map(rank => option('r', rank, `Rank ${rank}`, titles('r'))),
    heading('Modules'),
    option('target_modules', null, 'Default target modules', titles('target_modules')),
    option('target_modules', 'all-linear', 'All linear modules', titles('target_modules')),
    heading('Trained weights'),
    ...methods.selections.map(value => option('select', value, `Select ${value}`, titles('select'))),
    heading('Learning rates'),
    ...RATE_FACTORS.map(factor => ({
      label: `${factor} × the learning rate of each method`,
      of: (comparison: Comparison) => ({ ...comparison, rateFactors: [...comparison.rateFactors, factor] }),
    })),
  ];
}

/** Empty for as long as the run file says. */
function askBudget(): Thenable<string | undefined> {
  return showInputBox({
    title: `${TITLE}: Budget`,
    prompt: 'How long each entry trains, such as 100 steps, 20000 tokens or 5 minutes; empty: as the run file says',
    value: '100 steps',
    validateInput: text =>
      text.trim() === '' || parseBudget(text) ? undefined : 'A number of steps, tokens or minutes, such as 100 steps',
  });
}

/** Where the race file will be: beside the run file, else in the workspace. */
function homeOf({ file }: Base): string {
  const home = file === null ? vscode.workspace.workspaceFolders?.[0]?.uri.fsPath : dirname(file);
  if (home === undefined) throw new Error('Open a folder first: the race file and its runs are kept in it.');
  return home;
}

/** @returns path of a new file */
function writeRaceFile({ run, file }: Base, home: string, comparison: Comparison): string {
  const { validation } = block(run, 'dataset');
  const heldOut = { ...run, dataset: { ...block(run, 'dataset'), validation: validation ?? 0.1 } };
  const isWhole = file !== null && validation != null;
  const reference = isWhole ? basename(file) : (withRelativePaths(heldOut, home, home) as Json);
  const name = `${String(run['name'] ?? 'methods').replace(/[^\w.-]+/g, '-')}-race`;
  const path = freePath(home, name);
  trusted.createText(path, `${JSON.stringify(proposeRace(name, { run, reference }, comparison), null, 2)}\n`);
  return path;
}

function freePath(home: string, name: string): string {
  for (let i = 1; ; i++) {
    const path = join(home, `${i === 1 ? name : `${name}-${i}`}.race.json`);
    if (!existsSync(path)) return path;
  }
}
