// An adapter's own tokenizer and chat template, if it was trained with others than its base has: with tokens that were added, or with
// the run's dataset.chat_template. Called by everything that opens a model for an adapter.
import { createTokenizer } from '../../core/text/huggingFaceTokenizer.js';
import { templatesOf } from '../../core/text/namedTemplates.js';
import { withinTime } from '../../system/boundedWork.js';
import { readTokenizer } from '../files/huggingfaceFolder.js';
import type { ModelFiles } from '../files/tensorSource.js';
import { filesWithTemplate, withTemplate, type ModelOnDisk } from '../models/modelOnDisk.js';
import type { SavedAdapter } from './adapterFiles.js';

type Warn = (code: string, message: string) => void;

/**
 * The model's files with the tokenizer that was saved with an adapter, if that one has more tokens: the adapter was
 * trained with them. They are often within the model's embedding, which has more rows than it needs. Else with the
 * adapter's chat template, if it has one.
 */
export function filesForAdapter(files: ModelFiles, saved: SavedAdapter, warn: Warn): ModelFiles {
  const vocabulary = () => (files.tokenizer ? createTokenizer(files.tokenizer, withinTime).vocabSize : 0);
  const larger = largerTokenizer(files, vocabulary, saved, warn);
  if (larger) return larger.files;
  return hasOwnTemplate(saved, files) ? filesWithTemplate(files, saved.chatTemplate, { file: saved.folder }) : files;
}

/** The same for an opened model. */
export function modelForAdapter(onDisk: ModelOnDisk, saved: SavedAdapter, warn: Warn): ModelOnDisk {
  const { files, tokenizer } = onDisk;
  const vocabulary = () => (files.tokenizer ? tokenizer.vocabSize : 0);
  const larger = largerTokenizer(files, vocabulary, saved, warn);
  if (larger) return { ...onDisk, ...larger };
  return hasOwnTemplate(saved, files) ? withTemplate(onDisk, saved.chatTemplate, { file: saved.folder }) : onDisk;
}

function hasOwnTemplate({ chatTemplate }: SavedAdapter, { tokenizer }: ModelFiles): boolean {
  const [own, base] = [chatTemplate, tokenizer?.config['chat_template']].map(templatesOf);
  return own!.chatTemplate !== null && JSON.stringify(own) !== JSON.stringify(base);
}

/** @param vocabulary gets the number of the model's tokens, which may take building its tokenizer */
function largerTokenizer(
  files: ModelFiles,
  vocabulary: () => number,
  { tokenizerFolder: folder }: SavedAdapter,
  warn: Warn,
): Pick<ModelOnDisk, 'files' | 'tokenizer'> | null {
  const own = readTokenizer(folder);
  if (!own) return null;
  const tokenizer = createTokenizer(own, withinTime);
  const [added, before] = [tokenizer.vocabSize, vocabulary()];
  if (added <= before) return null;
  warn('adapter_tokenizer', `used the tokenizer of ${folder}, which has ${added} tokens, the model's ${before}`);
  return { files: { ...files, tokenizer: own, tokenizerFolder: folder }, tokenizer };
}
