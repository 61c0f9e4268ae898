// Finds the program of the engine on this machine: a Node executable and dist/tunewright.mjs. Used by the engine
// service and to start runs. Never starts the engine itself.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as vscode from 'vscode';
import { trusted } from '../trustedActions.js';

export interface EngineProgram {
  command: string;
  /** Precede the engine's own arguments. */
  args: readonly string[];
  env: NodeJS.ProcessEnv;
}

const OLDEST_NODE = [20, 19];

/**
 * The Node of the setting, else the one that the extension host runs on, else the one on the PATH. Electron comes last:
 * as Node, it forbids external memory, which TensorFlow's addon returns.
 */
export async function findEngineProgram(extensionPath: string): Promise<EngineProgram> {
  const args = [join(extensionPath, 'dist', 'tunewright.mjs')];
  const env = engineEnvironment(extensionPath);
  const named = vscode.workspace.getConfiguration('tunewright').get<string>('nodePath', '').trim();
  if (named) return { command: named, args, env };
  if (!process.versions['electron']) return { command: process.execPath, args, env };
  if (await isNewEnough('node', env)) return { command: 'node', args, env };
  return { command: process.execPath, args, env: { ...env, ELECTRON_RUN_AS_NODE: '1' } };
}

/** The host's environment without its own variables; tells the installer about addons packaged with the extension. */
function engineEnvironment(extensionPath: string): NodeJS.ProcessEnv {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(VSCODE_|ELECTRON_|NODE_OPTIONS$)/.test(name)),
  );
  const addons = join(extensionPath, 'dist', 'addons', `${process.platform}-${process.arch}`);
  return existsSync(addons) ? { TUNEWRIGHT_PREBUILT_ADDONS: addons, ...env } : env;
}

async function isNewEnough(command: string, env: NodeJS.ProcessEnv): Promise<boolean> {
  try {
    const { stdout } = await trusted.execFile(command, ['-p', 'process.versions.node'], { env, encoding: 'utf8' });
    const [major, minor] = stdout.split('.').map(Number);
    return major! > OLDEST_NODE[0]! || (major === OLDEST_NODE[0] && minor! >= OLDEST_NODE[1]!);
  } catch {
    return false;
  }
}
