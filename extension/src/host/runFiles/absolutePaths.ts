// A run file's paths are relative to where it stands; a run's own run.json stands elsewhere, so there they are absolute.
import { existsSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';

/** A model may be an id as well: it is a path where something stands there, or where it can be nothing else. */
export function withAbsolutePaths(config: any, base: string): object {
  const path = (value: unknown) => (typeof value === 'string' && !isAbsolute(value) ? join(base, value) : value);
  const at = (holder: any, key: string) => (holder && key in holder ? { ...holder, [key]: path(holder[key]) } : holder);
  const { model, dataset, method } = config;
  const isPath = typeof model === 'string' && (/^\.{1,2}[/\\]/.test(model) || existsSync(join(base, model)));
  return {
    ...config,
    ...(isPath ? { model: path(model) } : {}),
    ...(dataset ? { dataset: ['train', 'validation', 'chat_template'].reduce(at, dataset) } : {}),
    ...(method ? { method: at(method, 'init_from') } : {}),
  };
}
