// Reads keys of a run file that may be incomplete, as a draft is: its blocks, its method, the paths in it. Pure.

type Block = Readonly<Record<string, unknown>>;

/** An object inside a run file; empty if the run file doesn't have it. */
export function block(runFile: Block, key: string): Block {
  const value = runFile[key];
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Block) : {};
}

/** '' if the run file names no method. */
export function peftTypeOf(runFile: object): string {
  const name = block(runFile as Block, 'method')['peft_type'];
  return typeof name === 'string' ? name : '';
}

/** By block, the keys that name a file or a folder, or several. The model isn't among them, since it may also be an ID. */
export const PATH_KEYS: Readonly<Record<string, readonly string[]>> = {
  dataset: ['train', 'validation', 'exclude', 'chat_template', 'suites'],
  method: ['init_from'],
  training: ['general_texts'],
};

/** The files and folders that a run file reads, each with its key with dots. */
export function pathFields(runFile: Block): { field: string; path: string }[] {
  return Object.entries(PATH_KEYS).flatMap(([key, names]) =>
    names.flatMap(name => {
      const value = block(runFile, key)[name];
      const paths = Array.isArray(value) ? (value as unknown[]) : [value];
      return paths.flatMap(path => (typeof path === 'string' ? [{ field: `${key}.${name}`, path }] : []));
    }),
  );
}
