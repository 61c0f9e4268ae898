// Quick picks from nothing to a run: model, dataset, method, and what to do with it. Each step can be given beforehand and
// is then left out. What is picked here is a run file like any other; the engine fills in the defaults.
import { existsSync, readFileSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import * as vscode from 'vscode';
import { samplePrompts } from '../../core/data/samplePrompts.js';
import { readFirstRows } from '../datasets/firstRows.js';
import { embeddedModel, machineModels } from '../engineProcess/machineModels.js';
import type { EngineService } from '../services.js';

export interface RunDraft {
  name: string;
  model: string;
  dataset: { train: string; validation: number; max_length?: number };
  method: { peft_type: string };
  training?: Record<string, unknown>;
  samples?: { prompts: string[] };
}

/** What `describe --json` says of a method. */
interface MethodDescription {
  peft_type: string;
  title: string;
  summary: string;
}

const DATASET_FILES = '**/*.{jsonl,csv,parquet,json}';
/** JSON that is no dataset, in any workspace. */
const NO_DATASETS =
  '**/{node_modules,.git,.vscode,runs,dist,out}/**,**/{package,package-lock,tsconfig,jsconfig}*.json,**/*.tune.json';
const MOST_DATASETS = 200;

/** Prompts answered before, while and after it trains. */
const SAMPLES = 3;

/**
 * What a run of this model had better begin with in place of the defaults, which are for models 100 times as large as the
 * embedded one: its example's values.
 */
export function suggestedFor(
  model: string,
  extensionPath: string,
): Partial<Pick<RunDraft, 'training' | 'method'>> & { dataset?: { max_length: number } } {
  if (model !== embeddedModel.id) return {};
  const file = join(extensionPath, 'media', 'examples', 'pirate.tune.json');
  const { dataset, method, training } = JSON.parse(readFileSync(file, 'utf8')) as RunDraft;
  return { dataset: { max_length: dataset.max_length! }, method, training };
}

/** Rows held out, so that every run shows whether it learns or repeats. */
const VALIDATION_SHARE = 0.1;

/** Dataset files of the workspace, and the examples that come with the extension. */
export async function findDatasets(extensionPath: string): Promise<{ own: vscode.Uri[]; bundled: string[] }> {
  const examples = join(extensionPath, 'media', 'datasets');
  return {
    own: await vscode.workspace.findFiles(DATASET_FILES, `{${NO_DATASETS}}`, MOST_DATASETS),
    bundled: ['pirate.messages.jsonl', 'support-tone.alpaca.jsonl', 'haiku.sharegpt.json', 'facts.csv']
      .map(name => join(examples, name))
      .filter(existsSync),
  };
}

export class RunDrafter {
  constructor(
    private readonly engine: EngineService,
    private readonly extensionPath: string,
  ) {}

  /** @returns undefined where the user left a step */
  async draft(given: { model?: string; dataset?: string }): Promise<RunDraft | undefined> {
    const model = given.model ?? (await this.pickModel());
    if (!model) return undefined;
    const train = given.dataset ?? (await this.pickDataset());
    if (!train) return undefined;
    const method = await this.pickMethod();
    if (!method) return undefined;
    const firstRows = (await readFirstRows(train)).map(({ row }) => row);
    const prompts = samplePrompts(
      firstRows.filter(row => row !== null),
      SAMPLES,
    );
    const suggested = suggestedFor(model, this.extensionPath);
    return {
      name: basename(train, extname(train)).replace(/\..*$/, ''),
      model,
      dataset: { train, validation: VALIDATION_SHARE, ...suggested.dataset },
      method: suggested.method?.peft_type === method ? suggested.method : { peft_type: method },
      ...(suggested.training ? { training: suggested.training } : {}),
      ...(prompts.length > 0 ? { samples: { prompts } } : {}),
    };
  }

  async pickModel(): Promise<string | undefined> {
    type Item = vscode.QuickPickItem & { id?: string; act?: 'browse' | 'pull' };
    const items = machineModels(this.engine).then((models): Item[] => [
      ...[embeddedModel, ...models.filter(model => model.reason === null)].map(({ id, description }) => ({
        label: `$(symbol-method) ${id}`,
        description,
        id,
      })),
      { label: '', kind: vscode.QuickPickItemKind.Separator },
      { label: '$(folder-opened) Browse...', description: 'a model folder with config.json', act: 'browse' },
      { label: '$(cloud-download) Hub...', description: 'the id of a Hugging Face model', act: 'pull' },
    ]);
    const picked = await vscode.window.showQuickPick(items, {
      title: 'Fine-Tune a Model (1/4): Model',
      placeHolder: 'Which model is to learn?',
      matchOnDescription: true,
    });
    if (picked?.act === 'browse') return this.browseModel();
    if (picked?.act === 'pull') return askModelId();
    return picked?.id;
  }

  async pickDataset(): Promise<string | undefined> {
    type Item = vscode.QuickPickItem & { path?: string };
    const { own: found, bundled } = await findDatasets(this.extensionPath);
    const items: Item[] = [
      ...found
        .map(uri => ({ label: `$(database) ${vscode.workspace.asRelativePath(uri)}`, path: uri.fsPath }))
        .sort((a, b) => a.label.localeCompare(b.label)),
      { label: 'Examples', kind: vscode.QuickPickItemKind.Separator },
      ...bundled.map(path => ({ label: `$(beaker) ${basename(path)}`, description: 'comes with Tunewright', path })),
      { label: '', kind: vscode.QuickPickItemKind.Separator },
      { label: '$(folder-opened) Browse...' },
    ];
    const picked = await vscode.window.showQuickPick(items, {
      title: 'Fine-Tune a Model (2/4): Dataset',
      placeHolder: 'Which rows is it to learn from?',
      matchOnDescription: true,
    });
    return picked && (picked.path ?? browseDataset());
  }

  private async pickMethod(): Promise<string | undefined> {
    const { methods } = (await this.engine.capabilities()) as unknown as { methods: MethodDescription[] };
    const picked = await vscode.window.showQuickPick(
      methods.map(({ peft_type, title, summary }) => ({
        label: title,
        description: peft_type,
        detail: summary,
        peft_type,
      })),
      { title: 'Fine-Tune a Model (3/4): Method', placeHolder: 'What is trained?', matchOnDetail: true },
    );
    return picked?.peft_type;
  }

  private async browseModel(): Promise<string | undefined> {
    const picked = await vscode.window.showOpenDialog({
      title: 'Model Folder or GGUF File',
      canSelectFiles: true,
      canSelectFolders: true,
      openLabel: 'Choose Model',
    });
    return picked?.[0]?.fsPath;
  }
}

/** A hub id, or one of the engine's short names. */
export function askModelId(): Thenable<string | undefined> {
  return vscode.window.showInputBox({
    title: 'Model of the Hugging Face Hub',
    prompt: 'org/name, org/name:file.gguf, or smollm2-135m-instruct',
    placeHolder: 'HuggingFaceTB/SmolLM2-135M-Instruct',
    validateInput: text => (/\s/.test(text.trim()) ? 'An id has no spaces: org/name' : undefined),
  });
}

async function browseDataset(): Promise<string | undefined> {
  const picked = await vscode.window.showOpenDialog({
    title: 'Dataset',
    filters: { Datasets: ['jsonl', 'json', 'csv', 'parquet'] },
    openLabel: 'Choose Dataset',
  });
  return picked?.[0]?.fsPath;
}
