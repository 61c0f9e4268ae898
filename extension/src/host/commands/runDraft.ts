// Quick picks that lead to a run: model, dataset, method. Steps whose answer is given are skipped. The result is the run
// proposed for the answers, an ordinary run file; the engine fills in the defaults.
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import * as vscode from 'vscode';
import { ROW_FILE_ENDINGS } from '../../core/data/rowFileTypes.js';
import { quarantineFile } from '../../protocol/quarantine.js';
import { proposeRun, type ProposedRun } from '../../core/runs/proposeRun.js';
import { readFirstRows } from '../datasets/firstRows.js';
import type { WorkspaceDatasets } from '../datasets/workspaceDatasets.js';
import { EMBEDDED_MODEL } from '../engineProcess/machineModels.js';
import type { KnownMethods } from '../runFiles/knownMethods.js';
import type { EngineService } from '../services.js';
import type { WorkspaceModels } from '../workspaceModels.js';
import { showInputBox, showQuickPick, type PickItem } from '../window.js';

/** The part of `describe` about a method that is used here. */
interface MethodDescription {
  peft_type: string;
  title: string;
  summary: string;
}

export interface ProposalSources {
  methods: KnownMethods;
  engine: Pick<EngineService, 'inspectModel'>;
}

/** The run proposed for these choices (core/runs/proposeRun.ts). */
export async function proposal(
  { peft_type, ...chosen }: { model: string | null; train: string | null; peft_type: string },
  known: ProposalSources,
): Promise<ProposedRun> {
  return (await proposals(chosen, known))(peft_type);
}

/** The same for each of several methods: the dataset is read once. */
export async function proposals(
  { model, train }: { model: string | null; train: string | null },
  { methods, engine }: ProposalSources,
): Promise<(peftType: string) => ProposedRun> {
  const dataset = train === null ? null : await proposedDataset(train);
  const parameters = model === null || model === EMBEDDED_MODEL.id ? null : await parametersOf(model, engine);
  const method = (peftType: string) => ({ peft_type: peftType, learningRate: methods.learningRateOf(peftType) });
  return peftType => proposeRun({ model, parameters, dataset, method: method(peftType) });
}

/** null for a model that isn't on this machine, or without an engine that could read it. */
async function parametersOf(model: string, engine: ProposalSources['engine']): Promise<number | null> {
  return engine.inspectModel(model).then(
    ({ parameters }) => parameters,
    () => null,
  );
}

async function proposedDataset(train: string) {
  const rows = (await readFirstRows(train)).map(({ row }) => row);
  const quarantine = quarantineFile(train);
  const exclude = existsSync(quarantine) ? quarantine : null;
  return { train, firstRows: rows.filter(row => row !== null), exclude };
}

export class RunDrafter {
  constructor(
    private readonly engine: EngineService,
    private readonly methods: KnownMethods,
    private readonly models: Pick<WorkspaceModels, 'list'>,
    private readonly datasets: Pick<WorkspaceDatasets, 'list'>,
  ) {}

  /** @returns undefined if the user cancelled a step */
  async draft(given: { model?: string; dataset?: string }): Promise<ProposedRun | undefined> {
    const model = given.model ?? (await this.pickModel());
    if (!model) return undefined;
    const train = given.dataset ?? (await this.pickDataset());
    if (!train) return undefined;
    const method = await this.pickMethod();
    if (!method) return undefined;
    return proposal({ model, train, peft_type: method }, { methods: this.methods, engine: this.engine });
  }

  async pickModel(title = 'Fine-Tune a Model (1/4): Model'): Promise<string | undefined> {
    type Item = PickItem & { id?: string; act?: 'browse' | 'pull' };
    const items = this.models.list().then((models): Item[] => [
      ...[EMBEDDED_MODEL, ...models.filter(model => model.reason === null)].map(({ id, label, description }) => ({
        icon: 'symbol-method',
        label,
        description,
        id,
      })),
      { label: '', kind: vscode.QuickPickItemKind.Separator },
      { icon: 'folder-opened', label: 'Browse...', description: 'a model folder or a GGUF file', act: 'browse' },
      {
        icon: 'cloud-download',
        label: 'Hugging Face ID...',
        description: 'a model of the Hugging Face Hub',
        act: 'pull',
      },
    ]);
    const picked = await showQuickPick(items, {
      title,
      placeHolder: 'Choose a model',
      matchOnDescription: true,
    });
    if (picked?.act === 'browse') return this.browseModel();
    if (picked?.act === 'pull') return askModelId();
    return picked?.id;
  }

  async pickDataset(title = 'Fine-Tune a Model (2/4): Dataset'): Promise<string | undefined> {
    type Item = PickItem & { path?: string };
    const { own, bundled } = await this.datasets.list();
    const items: Item[] = [
      // VS Code puts first the labels that begin with what is typed: a file's name finds the workspace's own file.
      ...own.map(path => ({
        icon: 'database',
        label: basename(path),
        description: vscode.workspace.asRelativePath(path),
        path,
      })),
      { label: 'Examples', kind: vscode.QuickPickItemKind.Separator },
      ...bundled.map(path => ({
        icon: 'beaker',
        label: `Example: ${basename(path)}`,
        description: 'comes with Tunewright',
        path,
      })),
      { label: '', kind: vscode.QuickPickItemKind.Separator },
      { icon: 'folder-opened', label: 'Browse...' },
    ];
    const picked = await showQuickPick(items, {
      title,
      placeHolder: 'Choose a dataset',
      matchOnDescription: true,
    });
    return picked && (picked.path ?? browseDataset());
  }

  private async pickMethod(): Promise<string | undefined> {
    const { methods } = (await this.engine.capabilities()) as unknown as { methods: MethodDescription[] };
    const picked = await showQuickPick(
      methods.map(({ peft_type, title, summary }) => ({
        label: title,
        description: peft_type,
        detail: summary,
        peft_type,
      })),
      { title: 'Fine-Tune a Model (3/4): Method', placeHolder: 'Choose a method', matchOnDetail: true },
    );
    return picked?.peft_type;
  }

  private async browseModel(): Promise<string | undefined> {
    const picked = await vscode.window.showOpenDialog({
      title: 'Choose a Model Folder or GGUF File',
      canSelectFiles: true,
      canSelectFolders: true,
      openLabel: 'Choose Model',
    });
    return picked?.[0]?.fsPath;
  }
}

/** Asks for an ID of the Hugging Face Hub, or one of the engine's short names. */
export function askModelId(): Thenable<string | undefined> {
  return showInputBox({
    title: 'Choose a Hugging Face Model',
    prompt: 'Model ID: org/name, org/name:file.gguf, or smollm2-135m-instruct',
    placeHolder: 'HuggingFaceTB/SmolLM2-135M-Instruct',
    validateInput: text => (/\s/.test(text.trim()) ? 'A model ID has no spaces: org/name' : undefined),
  });
}

async function browseDataset(): Promise<string | undefined> {
  const picked = await vscode.window.showOpenDialog({
    title: 'Choose a Dataset',
    filters: { Datasets: [...ROW_FILE_ENDINGS] },
    openLabel: 'Choose Dataset',
  });
  return picked?.[0]?.fsPath;
}
