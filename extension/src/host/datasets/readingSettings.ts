// How the preview reads a dataset: according to the run file that uses it, else to the settings. Called when a dataset
// is opened or something that this depends on has changed.
import { dirname, resolve } from 'node:path';
import * as vscode from 'vscode';
import { MAX_TEMPLATE_BYTES, readText } from '../../system/regularFile.js';
import type { EngineService } from '../services.js';
import type { RunFileReference, RunFileReferences } from './runFileReferences.js';
import { tokenizerFolder } from './tokenizerLocation.js';
import type { ReadingSettings } from './worker/workerMessages.js';

export interface Reading {
  settings: ReadingSettings;
  /** The run file that the settings come from; null: VS Code's settings. */
  runFile: RunFileReference | null;
  /** The model whose tokenizer is used. */
  model: string;
  /** The model whose tokenizer should be used but is not on this machine. */
  missingModel: string | null;
}

export class ReadingSettingsSource {
  /** The engine's answers, by run file as read. */
  private readonly lengths = new WeakMap<RunFileReference, Promise<number>>();

  constructor(
    private readonly references: RunFileReferences,
    private readonly extensionFolder: string,
    private readonly engine: Pick<EngineService, 'runShape'>,
  ) {}

  /** @param run how to read the file; default: the run file of the workspace that uses it, else the settings */
  async of(uri: vscode.Uri, run?: RunFileReference): Promise<Reading> {
    const runFile = run ?? (await this.references.referringTo(uri.fsPath));
    const configured = vscode.workspace.getConfiguration('tunewright', uri);
    const preview = configured.get<string>('previewModel') || 'embedded:tiny';
    const baseFolder = vscode.workspace.getWorkspaceFolder(uri)?.uri.fsPath ?? dirname(uri.fsPath);
    const runFolder = runFile ? dirname(runFile.uri.fsPath) : baseFolder;
    const ofRun = runFile && tokenizerFolder(runFile.model, runFolder, this.extensionFolder);
    const ofSetting = tokenizerFolder(preview, baseFolder, this.extensionFolder);
    const embedded = tokenizerFolder('embedded:tiny', baseFolder, this.extensionFolder) as string;
    const wanted = runFile?.model ?? preview;
    const model = ofRun ? wanted : ofSetting ? preview : 'embedded:tiny';
    const dataset = runFile?.dataset;
    const other = runFile?.train === uri.fsPath ? runFile.validation : (runFile?.train ?? null);
    return {
      runFile,
      model,
      missingModel: model === wanted ? null : wanted,
      settings: {
        format: dataset?.format ?? 'auto',
        columns: dataset?.columns ?? {},
        maxLength: runFile ? await this.lengthOf(runFile) : (configured.get<number>('preview.maxLength') ?? 512),
        trainOn: dataset?.train_on ?? 'completions',
        truncation: dataset?.truncation ?? 'end',
        chatTemplate: dataset?.chat_template ? readTemplate(resolve(runFolder, dataset.chat_template)) : null,
        tokenizerFolder: ofRun ?? ofSetting ?? embedded,
        compareWith: other,
      },
    };
  }

  /**
   * The length at which the run cuts its rows; the file's own if the model isn't on this machine or the file has
   * errors.
   */
  private lengthOf(runFile: RunFileReference): Promise<number> {
    const known = this.lengths.get(runFile);
    if (known) return known;
    const asked = this.engine.runShape(runFile.content, runFile.uri.fsPath).then(
      ({ max_length }) => max_length,
      () => runFile.dataset.max_length,
    );
    this.lengths.set(runFile, asked);
    return asked;
  }
}

/** For tooltips. */
export function describeReading({ runFile, model, missingModel, settings }: Reading): string {
  const source = runFile ? `Settings from run file ${runFile.name}` : `max_length ${settings.maxLength} (settings)`;
  const missing = missingModel ? `, as that of ${missingModel} is not on this machine` : '';
  return `${source}; tokenizer of ${model}${missing}`;
}

function readTemplate(path: string): string | null {
  try {
    return readText(path, 'follow', MAX_TEMPLATE_BYTES);
  } catch {
    return null;
  }
}
