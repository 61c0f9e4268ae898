// The races of the workspace on a model and a dataset, for what the run panel says of methods. The dataset is known by its content, so
// that figures of other rows are never shown; the model by its name or path, as its content takes minutes to hash.
import { dirname } from 'node:path';
import * as vscode from 'vscode';
import { block } from '../../core/runs/runFileKeys.js';
import type { RaceFiles } from '../../protocol/raceMessages.js';
import type { Draft } from '../../protocol/runPanelMessages.js';
import { readJson } from '../runs/runFolderFiles.js';
import { raceFolderFiles, RaceReader } from './raceReader.js';

const MAX_RACES = 100;

/** By race folder. */
const readers = new Map<string, RaceReader>();

/**
 * @param draft with absolute paths
 * @param hash of a file's content; null if it can't be read
 */
export async function racesOn(draft: Draft, hash: (path: string) => Promise<string | null>): Promise<RaceFiles[]> {
  const { train } = block(draft, 'dataset');
  const files = await vscode.workspace.findFiles('**/races/*/race.json', '**/node_modules/**', MAX_RACES);
  const folders = files
    .map(({ fsPath }) => dirname(fsPath))
    .filter(folder => {
      return block(objectIn(raceFolderFiles(folder).race), 'run')['model'] === draft['model'];
    });
  const content = folders.length === 0 || typeof train !== 'string' ? null : await hash(train);
  const same = folders.filter(
    folder => content !== null && objectIn(raceFolderFiles(folder).inputs)['train'] === content,
  );
  return Promise.all(
    same.map(folder => {
      const reader = readers.get(folder) ?? new RaceReader();
      readers.set(folder, reader);
      return reader.readFiles({ file: null, folder });
    }),
  );
}

function objectIn(path: string): Record<string, unknown> {
  return (readJson(path) ?? {}) as Record<string, unknown>;
}
