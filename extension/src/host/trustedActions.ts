// The one place where the host writes files, starts programs and signals processes. In Restricted Mode each of these throws instead,
// whatever called it, so that no command, timer or setting of an untrusted workspace can act. Reading needs no trust.
import {
  execFile,
  spawn,
  type ChildProcess,
  type ExecFileOptionsWithStringEncoding,
  type SpawnOptions,
  type SpawnOptionsWithoutStdio,
} from 'node:child_process';
import { renameSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import * as vscode from 'vscode';
import { endingWithThis } from '../system/endWithParent.js';
import { signalHolder } from '../system/fileClaim.js';
import { makePrivateFolder } from '../system/makeFolder.js';
import { keepPrivate } from '../system/privateFolder.js';
import { appendLine, openRegularFile, writeWhole } from '../system/regularFile.js';
import { UntrustedWorkspaceError } from './services.js';

/** @throws UntrustedWorkspaceError in Restricted Mode */
export function requireTrust(): void {
  if (!vscode.workspace.isTrusted)
    throw new UntrustedWorkspaceError(
      'Nothing is started, stopped or written in Restricted Mode. Trust this workspace first.',
    );
}

/** Each throws UntrustedWorkspaceError in Restricted Mode, and otherwise what the function of the same name does. */
export const trusted = {
  /** For a run, a race or conversations. */
  makeFolder: guarded(makePrivateFolder),
  /** Writes a file of such a folder. */
  writeText: guarded((path: string, text: string) => writeWhole(inPrivate(path), text, 'refuse', 'write')),
  /** Creates a file. @throws NodeJS.ErrnoException EEXIST if it exists, so that only one window does */
  createText: guarded((path: string, text: string) => writeWhole(path, text, 'refuse', 'create')),
  appendLine: guarded((path: string, line: string) => appendLine(inPrivate(path), line)),
  openLog: guarded((path: string) => openRegularFile(inPrivate(path), 'refuse', 'append')),
  /** Writes a file that the user has chosen in a dialog. */
  saveChosen: guarded((path: string, content: string | Uint8Array) => writeWhole(path, content, 'follow', 'write')),
  rename: guarded(renameSync),
  removeFile: guarded((path: string) => rmSync(path, { force: true })),
  removeFolder: guarded((path: string) => rm(path, { recursive: true, force: true })),
  spawn: guarded((command: string, args: readonly string[], options: SpawnOptions) => spawn(command, args, options)),
  /** The engine's program: its output is read, it reads nothing, and it ends with the process of this window. */
  spawnReading: guarded((command: string, args: readonly string[], options: SpawnOptionsWithoutStdio) =>
    spawn(command, args, {
      ...options,
      env: { ...options.env, ...endingWithThis() },
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  ),
  spawnOnPipes: guarded((command: string, args: readonly string[], options: SpawnOptionsWithoutStdio) =>
    spawn(command, args, options),
  ),
  execFile: guarded((command: string, args: readonly string[], options: ExecFileOptionsWithStringEncoding) =>
    promisify(execFile)(command, args, options),
  ),
  signalHolder: guarded(signalHolder),
  /** A process that this window has started; false if it has ended. */
  signalChild: guarded((child: ChildProcess, signal: NodeJS.Signals) => child.kill(signal)),
};

/** A file that is created at this path is private. */
function inPrivate(path: string): string {
  keepPrivate(dirname(path));
  return path;
}

function guarded<Args extends unknown[], R>(act: (...args: Args) => R): (...args: Args) => R {
  return (...args) => {
    requireTrust();
    return act(...args);
  };
}
