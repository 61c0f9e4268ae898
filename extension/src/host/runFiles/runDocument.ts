// Reads a run file after saving unsaved edits. Called by commands and by the run panel; the engine checks the keys.
import { closeSync } from 'node:fs';
import { dirname } from 'node:path';
import { parse, printParseErrorCode, type ParseError } from 'jsonc-parser';
import * as vscode from 'vscode';
import { InputError } from '../../core/inputError.js';
import { openRegularFile } from '../../system/regularFile.js';
import { EngineInputError } from '../services.js';
import { withAbsolutePaths } from './runFilePaths.js';

/**
 * The run file with absolute paths, so that they are valid in the run's own folder as well.
 * @throws EngineInputError if it is not a JSON object
 */
export async function readRunDocument(file: vscode.Uri): Promise<object> {
  requireRegularFile(file.fsPath);
  const document = await vscode.workspace.openTextDocument(file);
  if (document.isDirty) await document.save();
  const faults: ParseError[] = [];
  const config = parse(document.getText(), faults, { disallowComments: true });
  const [fault] = faults;
  if (fault || typeof config !== 'object' || config === null) {
    const line = fault ? document.positionAt(fault.offset).line + 1 : 1;
    const reason = fault ? printParseErrorCode(fault.error) : 'expected an object';
    throw new EngineInputError({
      code: 'bad_input',
      message: `invalid JSON: ${reason}`,
      file: vscode.workspace.asRelativePath(file),
      line,
    });
  }
  return withAbsolutePaths(config, dirname(file.fsPath));
}

/** VS Code waits for a named pipe and reads a device without end. */
function requireRegularFile(path: string): void {
  try {
    closeSync(openRegularFile(path).descriptor);
  } catch (error) {
    throw error instanceof InputError ? new EngineInputError(error.record()) : error;
  }
}
