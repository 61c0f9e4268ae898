// A base with adapters merged into it, whose parameters are computed one at a time when they are read. Called by `merge`, which writes
// it in one of several formats.
import { InputError } from '../../core/inputError.js';
import { checkTemplates } from '../../core/text/chatTemplate.js';
import { templatesOf } from '../../core/text/namedTemplates.js';
import type { ModelFiles } from '../files/tensorSource.js';
import type { CausalLm } from '../models/causalLm.js';
import type { ChangedParameters } from '../models/changedParameters.js';
import { modelOnFiles } from '../models/loadModel.js';
import type { Adapter } from '../peft/adapter.js';
import { loadAdapter, type SavedAdapter } from '../peft/adapterFiles.js';
import type { PeftMethod } from '../peft/method.js';
import { filesForAdapter } from '../peft/adapterTokenizer.js';

type Warn = (code: string, message: string) => void;

export interface MergedModel {
  /** The base's, with the tokenizer or chat template of the adapters. */
  files: ModelFiles;
  /** The base. */
  model: CausalLm;
  adapters: readonly Adapter[];
  /** Those of the adapters. */
  folders: readonly string[];
  changed: ChangedParameters;
  dispose(): void;
}

/** @throws InputError that says what to do instead, if the adapter's method isn't a change of weights */
export function checkMergeable({ attached: { method }, folder }: SavedAdapter): void {
  if (method.merge) return;
  throw new InputError(
    `${method.peftType} adds parts that can't be expressed as weights of the model, so it can't be merged`,
    {
      file: folder,
      hint: waysWithoutMerge(method),
    },
  );
}

/** How an adapter is used that can't be merged. */
export function waysWithoutMerge({ python }: Pick<PeftMethod, 'python'>): string {
  const serve = 'Any OpenAI client: tunewright serve --model M --adapter FOLDER.';
  return python
    ? `Two ways work. Python: PeftModel.from_pretrained(base, FOLDER). ${serve}`
    : `One way works, since Python’s PEFT doesn’t have the method. ${serve}`;
}

/**
 * Merges adapters one after the other, each on top of those before it.
 * @param served replaces the tokenizer or template of the result
 * @throws InputError if one can't be merged, or would undo another one
 */
export function mergeAdapters(
  base: ModelFiles,
  saved: readonly SavedAdapter[],
  warn: Warn,
  served = (files: ModelFiles) => files,
): MergedModel {
  saved.forEach(checkMergeable);
  const model = modelOnFiles(base, warn);
  const adapters: Adapter[] = [];
  const dispose = () => {
    for (const adapter of adapters) adapter.dispose();
    model.dispose();
  };
  try {
    let files = base;
    let changed: ChangedParameters = new Map();
    for (const each of saved) {
      const adapter = loadAdapter(each, model);
      adapters.push(adapter);
      for (const name of adapter.forwardOptions.replaced.keys())
        if (changed.has(name))
          throw new InputError(`this adapter replaces ${name}, which an adapter before it has changed`, {
            file: each.folder,
            key: name,
            hint: 'Merge only one of the two, or name this one first.',
          });
      changed = adapter.merge(changed)!;
      files = filesForAdapter(files, each, warn);
    }
    warnOfTemplates(saved, warn);
    checkTemplates({
      ...templatesOf(files.tokenizer?.config['chat_template']),
      templatePlace: files.tokenizer?.templatePlace ?? null,
    });
    const folders = saved.map(({ folder }) => folder);
    return { files: served(files), model, adapters, folders, changed, dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** Each adapter would be asked with its own template; the model has one. */
function warnOfTemplates(saved: readonly SavedAdapter[], warn: Warn): void {
  const different = new Set(saved.map(({ chatTemplate }) => JSON.stringify(templatesOf(chatTemplate))));
  const last = saved.findLast(({ chatTemplate }) => chatTemplate !== null);
  if (different.size > 1)
    warn(
      'templates_differ',
      `the adapters were trained with different chat templates; the model has that of ${last!.folder}`,
    );
}

/** More than the base's if an adapter adds tokens. */
export function embeddingRowsOf({ model: { architecture }, changed }: MergedModel): number {
  return changed.get(`${architecture.embedding}.weight`)?.shape[0] ?? architecture.vocabSize;
}
