// A run that continues training from the result of a completed run: its run file, and its name, which groups the two in
// trees. Called by the command and after a change of a dataset. Pure, except that it checks which files exist.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Run } from '../services.js';

interface RunFile {
  dataset: Record<string, unknown>;
  method: { peft_type: string } & Record<string, unknown>;
  [key: string]: unknown;
}

const VERSION = / v(\d+)$/;

/** The common name of a chain of runs: `pirate` for `pirate`, `pirate v2`, `pirate v3`. */
export function chainName(name: string): string {
  return name.replace(VERSION, '');
}

/** The name of the next run in the chain of `name`: its next version that isn't in `taken`. */
export function furtherName(name: string, taken: readonly string[]): string {
  const chain = chainName(name);
  const versions = [name, ...taken]
    .filter(each => chainName(each) === chain)
    .map(each => Number(VERSION.exec(each)?.[1] ?? 1));
  return `${chain} v${Math.max(...versions) + 1}`;
}

/** Absolute path of a run's adapter or model; null if there is none. */
export function resultOf(run: Run): string | null {
  const { completed } = run.glance();
  const path = completed && join(run.folder, completed.adapter);
  return path && existsSync(path) ? path : null;
}

/** Whether a result is a complete model rather than an adapter; depends on the folder, not on the method. */
export function isWholeModel(result: string): boolean {
  return existsSync(join(result, 'config.json'));
}

/**
 * @param result adapter folder, whose config replaces that of the run, or a complete model, which becomes the base
 * @returns run file JSON; everything else is the same as in `run`
 */
export function furtherRunFile(run: Run, result: string, name: string): RunFile {
  const config = run.config as RunFile;
  return isWholeModel(result)
    ? { ...config, name, model: result, method: { ...config.method, init_from: null } }
    : { ...config, name, method: { peft_type: config.method.peft_type, init_from: result } };
}
