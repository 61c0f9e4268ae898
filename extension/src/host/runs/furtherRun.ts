// A run that trains a finished run's result further: its run file, and what it is called, so that the two stand together in
// trees. Called by the command and where a dataset has changed. Pure but for a look at the result's folder.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Run } from '../services.js';

interface RunFile {
  dataset: Record<string, unknown>;
  method: { peft_type: string } & Record<string, unknown>;
  [key: string]: unknown;
}

const VERSION = / v(\d+)$/;

/** What all runs of a chain are called: `pirate` of `pirate`, `pirate v2`, `pirate v3`. */
export function chainName(name: string): string {
  return name.replace(VERSION, '');
}

/** Says which run it goes on from: the next version that no run of `taken` has. */
export function furtherName(name: string, taken: readonly string[]): string {
  const chain = chainName(name);
  const versions = [name, ...taken]
    .filter(each => chainName(each) === chain)
    .map(each => Number(VERSION.exec(each)?.[1] ?? 1));
  return `${chain} v${Math.max(...versions) + 1}`;
}

/** Absolute path of what a run has made, or null where it has made nothing or that is gone. */
export function resultOf(run: Run): string | null {
  const { completed } = run.glance();
  const path = completed && join(run.folder, completed.adapter);
  return path && existsSync(path) ? path : null;
}

/** A model that is used by itself, not beside its base; seen from the folder, whatever the method. */
export function isWholeModel(result: string): boolean {
  return existsSync(join(result, 'config.json'));
}

/**
 * @param result adapter folder, whose own config applies from here on, or a whole model, which is the new base
 * @returns run file JSON; everything else is as it was
 */
export function furtherRunFile(run: Run, result: string, name: string): RunFile {
  const config = run.config as RunFile;
  return isWholeModel(result)
    ? { ...config, name, model: result, method: { ...config.method, init_from: null } }
    : { ...config, name, method: { peft_type: config.method.peft_type, init_from: result } };
}
