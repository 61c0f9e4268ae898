// How the preview reads a dataset: as the run file that names it says, else by the settings. Called whenever a dataset is
// opened or something that this depends on has changed.
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import * as vscode from 'vscode';
import type { EngineService } from '../services.js';
import type { RunFileReference, RunFileReferences } from './runFileReferences.js';
import { tokenizerFolder } from './tokenizerLocation.js';
import type { ReadingSettings } from './worker/workerMessages.js';

export interface Reading {
  settings: ReadingSettings;
  /** The run file that says so; null: the settings do. */
  runFile: RunFileReference | null;
  /** Whose tokenizer counts. */
  model: string;
  /** The model that should count, where its tokenizer is not on this machine. */
  missingModel: string | null;
}

export class ReadingSettingsSource {
  /** Answers of the engine, by the run file as it was read. */
  private readonly lengths = new WeakMap<RunFileReference, Promise<number>>();

  constructor(
    private readonly references: RunFileReferences,
    private readonly extensionFolder: string,
    private readonly engine: Pick<EngineService, 'runShape'>,
  ) {}

  async of(uri: vscode.Uri): Promise<Reading> {
    const runFile = await this.references.referringTo(uri.fsPath);
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

  /** Where the run cuts its rows; what the file says where its model isn't here, or something else in it is wrong. */
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

function readTemplate(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
