// A merged model in LM Studio: a GGUF file in its models folder, where LM Studio finds it by itself. Asked there if its server runs.
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { proposedName } from '../../../core/exports/ollama.js';
import { InputError } from '../../../core/inputError.js';
import type { ExportEntryOf } from '../../../protocol/exportConfig.js';
import { lmStudioHome, lmStudioModelsFolder, lmStudioUrl } from '../../hub/lmStudioStore.js';
import { askInstalled, notAsked, servedLanguage, type Asking } from '../askInstalled.js';
import type { ExportSource } from '../exportSource.js';
import type { ExportTarget } from '../exportTarget.js';
import { LmStudioClient } from '../lmStudioClient.js';
import { checkGgufBase, gguf, ggufEntryOf, planGguf } from './gguf.js';

type Entry = ExportEntryOf<'lm_studio'>;

const PUBLISHER = 'tunewright';

export const lmStudio: ExportTarget<Entry> = {
  target: 'lm_studio',
  to: 'lm-studio',
  takes: 'model',
  writes: 'file',

  fileName: (source, entry) => gguf.fileName(source, ggufEntryOf(entry)),

  checkBase(source, entry) {
    foldersOf(source, entry);
    checkGgufBase(source);
  },

  folder(source, entry) {
    const { publisher, model } = foldersOf(source, entry);
    return join(lmStudioModelsFolder(), publisher, model);
  },

  async plan(source, entry) {
    foldersOf(source, entry);
    const isThere = existsSync(lmStudioHome());
    const need = {
      what: `LM Studio, whose models are in ${lmStudioModelsFolder()}`,
      met: isThere,
      hint: isThere ? null : HINT,
    };
    return { ...(await planGguf(source, ggufEntryOf(entry))), needs: [need] };
  },

  check() {
    const home = lmStudioHome();
    if (!existsSync(home)) throw new InputError('LM Studio has no folder on this machine', { file: home, hint: HINT });
  },

  write(source, entry, context) {
    foldersOf(source, entry);
    return gguf.write(source, ggufEntryOf(entry), context);
  },

  async ask(source, entry, { out, compare, reporter, signal }) {
    const client = new LmStudioClient(lmStudioUrl(), signal);
    const placed = { ...foldersOf(source, entry), file: basename(out, '.gguf') };
    const about = { program: 'LM Studio', version: null, model: `${placed.publisher}/${placed.model}` };
    if (!compare) return notAsked(about, 'left out with --no-compare');
    let name: string | null;
    try {
      name = await client.nameOf(placed);
    } catch {
      return notAsked(about, `its server doesn’t answer at ${client.url}; it is started with lms server start`);
    }
    if (name === null) return notAsked(about, 'its server doesn’t list the model yet');
    const ask = (prompt: string, { maxNewTokens, seed, isChat }: Asking) => {
      const options = { temperature: 0, seed, max_tokens: maxNewTokens };
      return isChat ? client.chat(name, prompt, options) : client.complete(name, prompt, options);
    };
    const facts = { ...about, model: name, type: entry.type, stopsThere: null, templateReason: TEMPLATE };
    return askInstalled({ source, language: servedLanguage(source), file: out, ask, facts, reporter, signal });
  },
};

const HINT =
  'Install LM Studio and start it once; or write a file with --to merged-gguf, for lms import --hard-link FILE.gguf.';
const TEMPLATE = 'Its settings of the model may have another prompt template.';

/** @throws InputError if a name is no folder's */
function foldersOf({ name }: ExportSource, entry: Entry): { publisher: string; model: string } {
  const text = entry.name ?? `${PUBLISHER}/${proposedName(name)}`;
  const [model, publisher = PUBLISHER, ...more] = text.split('/').toReversed();
  const isFolder = (part: string | undefined) => /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}$/.test(part ?? '');
  if (more.length === 0 && isFolder(model) && isFolder(publisher)) return { publisher, model: model! };
  throw new InputError(`${JSON.stringify(text)} isn't a valid model name in LM Studio`, {
    key: '--name',
    hint: 'Use letters, digits and _ - . such as pirate or me/pirate.',
  });
}
