// A run file's paths are relative to where it stands; a run's own run.json and a draft stand elsewhere, so there they are
// absolute. From one to the other and back. No vscode.
import { existsSync } from 'node:fs';
import { isAbsolute, join, relative, sep } from 'node:path';

/** Every path of a run file but the model's, which may be an id as well. */
function mapPaths(config: any, path: (value: string) => string): any {
  const at = (holder: any, key: string) =>
    typeof holder?.[key] === 'string' ? { ...holder, [key]: path(holder[key]) } : holder;
  const { dataset, method } = config;
  return {
    ...config,
    ...(dataset ? { dataset: ['train', 'validation', 'chat_template'].reduce(at, dataset) } : {}),
    ...(method ? { method: at(method, 'init_from') } : {}),
  };
}

/** A model is a path where something stands there, or where it can be nothing else. */
export function withAbsolutePaths(config: any, base: string): object {
  const path = (value: string) => (isAbsolute(value) ? value : join(base, value));
  const { model } = config;
  const isPath = typeof model === 'string' && (/^\.{1,2}[/\\]/.test(model) || existsSync(join(base, model)));
  return { ...mapPaths(config, path), ...(isPath ? { model: path(model) } : {}) };
}

/**
 * The same for a run file in the folder `base`: what lies within `root` is named from there, so that both can be moved and
 * shared together; what lies outside stays absolute.
 */
export function withRelativePaths(config: any, base: string, root: string): object {
  const path = (value: string) => {
    const isWithin = isAbsolute(value) && !relative(root, value).startsWith('..');
    return isWithin ? relative(base, value).replaceAll(sep, '/') : value;
  };
  const { model } = config;
  if (typeof model !== 'string' || path(model) === model) return mapPaths(config, path);
  // `org/name` would be an id.
  return { ...mapPaths(config, path), model: path(model).replace(/^(?!\.)/, './') };
}
