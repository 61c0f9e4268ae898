// A run that continues training from the result of a completed run: its run file, and its name, which groups the two in
// trees. Called by the command and after a change of a dataset. Pure, except that it checks what the result is.
import type { Run } from '../services.js';
import { isWholeModel } from './runResult.js';

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
