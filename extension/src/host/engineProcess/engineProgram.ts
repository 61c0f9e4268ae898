// Which program the engine is on this machine: a Node, and dist/tunewright.mjs. Asked by the engine service and by whoever
// starts a run. Never starts the engine itself.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as vscode from 'vscode';

export interface EngineProgram {
  command: string;
  /** Go before the engine's own arguments. */
  args: readonly string[];
  env: NodeJS.ProcessEnv;
}

const OLDEST_NODE = [20, 19];

/**
 * The Node of the setting, else the one that the extension host runs on, else that of the PATH. An Electron comes last: run
 * as Node it forbids memory that isn't its own, which TensorFlow's addon hands out.
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

/** The host's own, without what is meant for the host; addons that came with the extension are named to the installer. */
function engineEnvironment(extensionPath: string): NodeJS.ProcessEnv {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(VSCODE_|ELECTRON_|NODE_OPTIONS$)/.test(name)),
  );
  const addons = join(extensionPath, 'dist', 'addons', `${process.platform}-${process.arch}`);
  return existsSync(addons) ? { TUNEWRIGHT_PREBUILT_ADDONS: addons, ...env } : env;
}

async function isNewEnough(command: string, env: NodeJS.ProcessEnv): Promise<boolean> {
  try {
    const { stdout } = await promisify(execFile)(command, ['-p', 'process.versions.node'], { env });
    const [major, minor] = stdout.split('.').map(Number);
    return major! > OLDEST_NODE[0]! || (major === OLDEST_NODE[0] && minor! >= OLDEST_NODE[1]!);
  } catch {
    return false;
  }
}
