// Corrected answers and votes as rows of datasets, and runs that train on these: what the playground calls. Created by extension.ts.
import * as vscode from 'vscode';
import type { ChatMessage } from '../../core/data/example.js';
import type { DatasetKind } from '../../protocol/playgroundMessages.js';
import type { ChatTurn } from '../../protocol/sessionMessages.js';
import type { ProposalSources } from '../commands/runDraft.js';
import type { WorkspaceDatasets } from '../datasets/workspaceDatasets.js';
import type { Run, RunService } from '../services.js';
import type { Corrections } from '../webviews/playgroundSession.js';
import { addRow, type AddedRow, type RowReading } from './addRow.js';
import { pickDataset } from './pickDataset.js';
import { runOnCorrections, type TrainedResult } from './runOnCorrections.js';

export class DatasetCorrections implements Corrections<vscode.Uri> {
  constructor(
    private readonly runs: RunService,
    private readonly datasets: Pick<WorkspaceDatasets, 'list'>,
    private readonly reading: RowReading,
    private readonly sources: ProposalSources,
  ) {}

  nameOf(uri: vscode.Uri): string {
    return vscode.workspace.asRelativePath(uri);
  }

  /** Asks for a dataset that can hold this; undefined if the user cancelled. */
  pickDataset(kind: DatasetKind): Promise<vscode.Uri | undefined> {
    return pickDataset(kind, this.datasets);
  }

  /** Adds the conversation as a row; the editor's undo takes it back. @throws Error if the file can't hold it */
  appendConversation(
    uri: vscode.Uri,
    messages: readonly ChatTurn[],
    { tools }: { tools?: readonly unknown[] } = {},
  ): Promise<AddedRow> {
    const content = { messages: messages as readonly ChatMessage[], ...(tools?.length ? { tools } : {}) };
    return addRow(uri, { kind: 'conversation', content }, this.reading);
  }

  /** The same for two answers to one prompt. */
  appendPreference(
    uri: vscode.Uri,
    pair: { prompt: ChatTurn[]; chosen: ChatTurn[]; rejected: ChatTurn[] },
  ): Promise<AddedRow> {
    return addRow(uri, { kind: 'preference', content: pair }, this.reading);
  }

  /** Starts a run that continues from this result on the dataset. */
  async trainOn(result: TrainedResult, dataset: vscode.Uri): Promise<Run | undefined> {
    const document = vscode.workspace.textDocuments.find(({ uri }) => uri.toString() === dataset.toString());
    // The run reads the file.
    if (document?.isDirty) await document.save();
    const config = await runOnCorrections(result, dataset.fsPath, this.runs, this.sources);
    return this.runs.start(config, vscode.workspace.getWorkspaceFolder(dataset));
  }
}
