// What can answer in a column of the playground: the base, results and checkpoints of runs, other adapters and models, mixtures of LoRA adapters.
// Pickers for a column, and for what a new playground shows.
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import * as vscode from 'vscode';
import { peftTypeOf } from '../../core/runs/runFileKeys.js';
import { distinctName, distinctions } from '../../core/runs/runLabels.js';
import { metricName, metricValue } from '../../core/metrics/metricText.js';
import { metricOfRun } from '../../core/runs/bestMetric.js';
import type { RunState } from '../../core/runs/runState.js';
import { longFigure, runFigure } from '../../core/runs/runStatus.js';
import { count } from '../../core/units.js';
import type { Column, Conversation } from '../../protocol/playgroundMessages.js';
import { sessionOptionsSchema } from '../../protocol/sessionMessages.js';
import { EMBEDDED_MODEL } from '../engineProcess/machineModels.js';
import type { KnownMethods } from '../runFiles/knownMethods.js';
import { checkpointSteps, runFolderFiles } from '../runs/runFolderFiles.js';
import { isWholeModel, resultOf } from '../runs/runResult.js';
import { settingsOfRun } from '../runs/runSettings.js';
import type { Run, RunService } from '../services.js';
import { showQuickPick, type PickItem } from '../window.js';
import type { WorkspaceModels } from '../workspaceModels.js';
import type { NewColumn } from './playgroundSession.js';
import { textOf } from '../../core/forms/formField.js';

/** What a playground is opened with. */
export interface PlaygroundArguments {
  model: string;
  baseWeights?: string;
  device?: Conversation['device'];
  columns: readonly {
    name: string;
    /** Adapter; null: the model without one. */
    path: string | null;
    /** A model of its own, such as a merged one. */
    model?: string;
    run?: string;
  }[];
  prompt?: string;
  system?: string;
}

const DEFAULTS = sessionOptionsSchema.omit({ model: true, folder: true }).parse({});

const BASE: NewColumn = { name: 'base', model: null, parts: [], run: null };

export function columnsOf({ columns }: PlaygroundArguments): NewColumn[] {
  return columns.map(({ name, path, model, run }) => ({
    name,
    model: model ?? null,
    parts: path === null ? [] : [{ name, path, weight: 1 }],
    run: run ?? null,
  }));
}

/** The result of a run as a column beside its base; null while there is none. */
export function columnOfRun(run: Run): NewColumn | null {
  const result = resultOf(run);
  if (result === null) return null;
  return isWholeModel(result)
    ? { name: run.name, model: result, parts: [], run: run.folder }
    : { name: run.name, model: null, parts: [{ name: run.name, path: result, weight: 1 }], run: run.folder };
}

/** The base of a run beside its result. */
export function argumentsOfRun(run: Run): PlaygroundArguments {
  const { model } = run.config as { model: string };
  const settings = settingsOfRun(run);
  const column = columnOfRun(run);
  return {
    model,
    // run.json has all defaults; a playground that was opened on the model alone has none.
    ...(settings && settings.base_weights !== DEFAULTS.base_weights ? { baseWeights: settings.base_weights } : {}),
    ...(settings && (settings.backend !== DEFAULTS.backend || settings.adapter !== DEFAULTS.adapter)
      ? { device: { backend: settings.backend, adapter: settings.adapter } }
      : {}),
    columns: [
      { name: 'base', path: null },
      ...(column === null
        ? []
        : [
            {
              name: column.name,
              path: column.parts[0]?.path ?? null,
              run: run.folder,
              ...(column.model === null ? {} : { model: column.model }),
            },
          ]),
    ],
  };
}

export function argumentsOfModel(model: string): PlaygroundArguments {
  return { model, columns: [{ name: 'base', path: null }] };
}

const modelOf = (run: Run) => (run.config as { model?: unknown }).model;

interface ColumnItem extends PickItem {
  choose(): NewColumn | undefined | Promise<NewColumn | undefined>;
}

/** A heading in a picker. */
function separator(label: string) {
  return { label, kind: vscode.QuickPickItemKind.Separator, choose: () => undefined };
}

/** Asks for a column of this conversation. */
export async function pickColumn(
  conversation: Conversation,
  runs: RunService,
  models: WorkspaceModels,
  methods: KnownMethods,
): Promise<NewColumn | undefined> {
  const trained = runs.runs().filter(run => modelOf(run) === conversation.model);
  const fitting = trained.filter(run => columnOfRun(run) !== null);
  const saving = trained.filter(run => checkpointSteps(runFolderFiles(run.folder).checkpoints).length > 0);
  // What llama.cpp can add to a base, with a strength, is a LoRA.
  const mixable = fitting.filter(run => methods.exportsOf(peftTypeOf(run.config)).includes('gguf'));
  const items: ColumnItem[] = [
    { icon: 'symbol-method', label: 'base', description: conversation.model, choose: () => BASE },
    ...(fitting.length > 0 ? [separator('Results of runs')] : []),
    ...runItems(fitting, runs).map(({ run, ...item }) => ({ ...item, choose: () => columnOfRun(run) ?? undefined })),
    separator('More'),
    ...(mixable.length > 1
      ? [
          {
            icon: 'layers',
            label: 'Mixture of LoRA Adapters...',
            description: 'several at once, each with its strength',
            choose: () => pickMixture(mixable, runs),
          },
        ]
      : []),
    ...(saving.length > 0
      ? [
          {
            icon: 'history',
            label: 'Checkpoint of a Run...',
            description: 'as it was after fewer steps',
            choose: () => pickCheckpoint(saving, runs),
          },
        ]
      : []),
    { icon: 'folder', label: 'Adapter Folder...', description: 'such as one from PEFT', choose: pickAdapterFolder },
    {
      icon: 'symbol-method',
      label: 'Another Model...',
      description: 'takes memory of its own',
      choose: async () => {
        const model = await pickModel(models);
        return model && { name: model.name, model: model.id, parts: [], run: null };
      },
    },
  ];
  const picked = await showQuickPick(items, {
    title: 'Add Column',
    placeHolder: 'What answers beside the others?',
    matchOnDescription: true,
  });
  return picked?.choose();
}

/** Asks what a new playground shows: a run's result beside its base, or a model. */
export async function pickArguments(
  runs: RunService,
  models: WorkspaceModels,
): Promise<PlaygroundArguments | undefined> {
  const results = runs.runs().filter(run => columnOfRun(run) !== null);
  const items = [
    ...(results.length > 0 ? [separator('Results of runs, beside their base')] : []),
    ...runItems(results, runs).map(({ run, ...item }) => ({ ...item, choose: () => argumentsOfRun(run) })),
    separator('Models'),
    {
      icon: 'symbol-method',
      label: EMBEDDED_MODEL.label,
      description: EMBEDDED_MODEL.description,
      choose: () => argumentsOfModel(EMBEDDED_MODEL.id),
    },
    {
      icon: 'symbol-method',
      label: 'Another Model...',
      choose: async () => {
        const model = await pickModel(models);
        return model && argumentsOfModel(model.id);
      },
    },
  ];
  const picked = await showQuickPick(items, { title: 'Open Playground', placeHolder: 'Choose a result or a model' });
  return picked?.choose();
}

function runItems(fitting: readonly Run[], runs: RunService): (PickItem & { run: Run })[] {
  const known = distinctions(runs.runs());
  return fitting.map(run => {
    const loss = runFigure(run.glance());
    return {
      icon: 'extensions',
      label: distinctName(run, known),
      description: [textOf(modelOf(run)), loss ? longFigure(loss) : ''].filter(Boolean).join(' · '),
      run,
    };
  });
}

async function pickMixture(fitting: readonly Run[], runs: RunService): Promise<NewColumn | undefined> {
  const picked = await showQuickPick(runItems(fitting, runs), {
    title: 'Mixture of LoRA Adapters',
    placeHolder: 'Choose two or more',
    canPickMany: true,
  });
  if (!picked || picked.length === 0) return undefined;
  const weight = Math.round(100 / picked.length) / 100;
  const parts = picked.map(({ run }): Column['parts'][number] => ({
    name: run.name,
    path: resultOf(run)!,
    weight: picked.length === 1 ? 1 : weight,
  }));
  return { name: parts.map(({ name }) => name).join(' + '), model: null, parts, run: null };
}

/** The checkpoints that exist, of each run the latest first. */
async function pickCheckpoint(saving: readonly Run[], runs: RunService): Promise<NewColumn | undefined> {
  const known = distinctions(runs.runs());
  const states = await Promise.all(saving.map(run => run.read()));
  const items = saving.flatMap((run, i): ColumnItem[] => [
    separator(distinctName(run, known)),
    ...checkpointSteps(runFolderFiles(run.folder).checkpoints)
      .toReversed()
      .map(step => ({
        icon: 'history',
        label: `Step ${count(step)}`,
        description: figureAt(states[i]!, step),
        choose: () => columnOfCheckpoint(run, step),
      })),
  ]);
  const picked = await showQuickPick(items, {
    title: 'Checkpoint of a Run',
    placeHolder: 'Choose a checkpoint',
  });
  return picked?.choose();
}

export function columnOfCheckpoint(run: Run, step: number): NewColumn {
  const name = `${run.name}, step ${count(step)}`;
  const path = join(runFolderFiles(run.folder).checkpoints, `step-${step}`);
  return { name, model: null, parts: [{ name, path, weight: 1 }], run: run.folder };
}

/** `validation loss 0.931`, or the run's other metric; '' if it wasn't evaluated at this step. */
function figureAt(state: RunState, step: number): string {
  const { evaluations } = state;
  const metric = metricOfRun(state);
  const at = evaluations.column('step').indexOf(step);
  return at < 0 ? '' : `${metricName(metric)} ${metricValue(metric, evaluations.row(at)![metric.name]!)}`;
}

async function pickAdapterFolder(): Promise<NewColumn | undefined> {
  const [folder] =
    (await vscode.window.showOpenDialog({
      title: 'Adapter Folder',
      openLabel: 'Add',
      canSelectFiles: false,
      canSelectFolders: true,
    })) ?? [];
  if (!folder) return undefined;
  if (!existsSync(join(folder.fsPath, 'adapter_config.json')))
    throw new Error(`${folder.fsPath} has no adapter_config.json, so it is no adapter.`);
  const name = basename(folder.fsPath);
  return { name, model: null, parts: [{ name, path: folder.fsPath, weight: 1 }], run: null };
}

async function pickModel(models: WorkspaceModels): Promise<{ id: string; name: string } | undefined> {
  const list = async () =>
    [EMBEDDED_MODEL, ...(await models.list())].map(({ id, label, description, path }) => ({
      icon: 'symbol-method',
      label,
      description,
      model: { id: path ?? id, name: label },
    }));
  const picked = await showQuickPick(list(), { title: 'Model', placeHolder: 'Choose a model' });
  return picked?.model;
}
