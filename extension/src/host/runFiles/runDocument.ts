// A run file as it is in the editor, saved before it is read. Called by commands and by the run panel; what the keys mean is
// checked by the engine.
import { dirname } from 'node:path';
import { parse, printParseErrorCode, type ParseError } from 'jsonc-parser';
import * as vscode from 'vscode';
import { EngineInputError } from '../services.js';
import { withAbsolutePaths } from './runFilePaths.js';

/**
 * The run file with absolute paths, so that they mean the same from the run's own folder.
 * @throws EngineInputError where it is no JSON
 */
export async function readRunDocument(file: vscode.Uri): Promise<object> {
  const document = await vscode.workspace.openTextDocument(file);
  if (document.isDirty) await document.save();
  const faults: ParseError[] = [];
  const config = parse(document.getText(), faults, { disallowComments: true });
  const [fault] = faults;
  if (fault || typeof config !== 'object' || config === null) {
    const line = fault ? document.positionAt(fault.offset).line + 1 : 1;
    const reason = fault ? printParseErrorCode(fault.error) : 'an object is needed';
    throw new EngineInputError({
      code: 'bad_input',
      message: `this is no JSON (${reason})`,
      file: vscode.workspace.asRelativePath(file),
      line,
    });
  }
  return withAbsolutePaths(config, dirname(file.fsPath));
}
