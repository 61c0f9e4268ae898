// Converts the paths of a run file: relative to its folder in run files, absolute in drafts and in a run's own
// run.json. Imports no vscode.
import { existsSync } from 'node:fs';
import { isAbsolute, join, relative, sep } from 'node:path';
import { PATH_KEYS } from '../../core/runs/runFileKeys.js';

/** Maps all paths of a run file except the model's, which may also be an ID. */
function mapPaths(config: any, path: (value: string) => string): any {
  const mapped = (value: any): any =>
    Array.isArray(value) ? value.map(mapped) : typeof value === 'string' ? path(value) : value;
  const at = (holder: any, key: string) =>
    holder?.[key] === undefined ? holder : { ...holder, [key]: mapped(holder[key]) };
  const blocks = Object.entries(PATH_KEYS).filter(([key]) => config[key]);
  const exports = Array.isArray(config.export) ? { export: config.export.map((entry: any) => at(entry, 'out')) } : {};
  const mappedBlocks = blocks.map(([key, names]) => [key, names.reduce(at, config[key])]);
  return { ...config, ...Object.fromEntries(mappedBlocks), ...exports };
}

/** A model is a path if that exists, or if it can't be anything else. */
export function withAbsolutePaths(config: any, base: string): object {
  const path = (value: string) => (isAbsolute(value) ? value : join(base, value));
  const { model } = config;
  const isPath = typeof model === 'string' && (/^\.{1,2}[/\\]/.test(model) || existsSync(join(base, model)));
  return { ...mapPaths(config, path), ...(isPath ? { model: path(model) } : {}) };
}

/**
 * The inverse for a run file in the folder `base`: paths within `root` become relative to `base`, so that both can be
 * moved and shared together; others stay absolute.
 */
export function withRelativePaths(config: any, base: string, root: string): object {
  const path = (value: string) => {
    const isWithin = isAbsolute(value) && !relative(root, value).startsWith('..');
    return isWithin ? relative(base, value).replaceAll(sep, '/') : value;
  };
  const { model } = config;
  if (typeof model !== 'string' || path(model) === model) return mapPaths(config, path);
  // Without `./`, `org/name` would be an ID.
  return { ...mapPaths(config, path), model: path(model).replace(/^(?!\.)/, './') };
}
