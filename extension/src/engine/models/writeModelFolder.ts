// Writes a complete model as a folder that Transformers can load: the result of FULL and of `merge`.
import { join } from 'node:path';
import type * as tf from '@tensorflow/tfjs-core';
import { writeFileAtomically } from '../files/atomicFile.js';
import { copyTokenizer, writeChatTemplates } from '../files/huggingfaceFolder.js';
import { writeDeviceTensors } from '../files/safetensors.js';
import type { ModelFiles } from '../files/tensorSource.js';
import type { CausalLm } from './causalLm.js';
import { generationConfigOf } from './endTokens.js';
import { writeModelCard } from './modelCard.js';
import { denseOf } from './quantizedWeight.js';

/**
 * @param changed parameters that replace the model's own, by name. Different tensors for embedding and head untie the
 *   two.
 */
export async function writeModelFolder(
  folder: string,
  model: CausalLm,
  files: ModelFiles,
  changed: ReadonlyMap<string, tf.Tensor>,
): Promise<void> {
  const { architecture } = model;
  const head = `${architecture.head}.weight`;
  const embedding = changed.get(`${architecture.embedding}.weight`);
  const untied =
    architecture.tieWordEmbeddings &&
    (changed.has(head) ? changed.get(head)!.dataId !== embedding?.dataId : embedding !== undefined);
  const names = architecture.parameters.map(parameter => parameter.name);
  const tensorOf = (name: string) => changed.get(name) ?? denseOf(model.weight(name));
  const written = [...names, ...(untied ? [head] : [])];
  const tensors = new Map(written.map(name => [name, tensorOf(name)]));
  await writeDeviceTensors(join(folder, 'model.safetensors'), tensors);

  const json = (name: string, value: Record<string, unknown> | null) => {
    if (!value) return;
    const text = Buffer.from(`${JSON.stringify(value, null, 2)}\n`);
    writeFileAtomically(join(folder, name), append => append(text));
  };
  // Half-precision bases and GGUF's blocks are written in float32.
  const { torch_dtype: _dtype, dtype: _newDtype, ...config } = files.config;
  const isTied = architecture.tieWordEmbeddings && !untied;
  json('config.json', {
    ...config,
    torch_dtype: 'float32',
    ...(!isTied && { tie_word_embeddings: false }),
    // An adapter can have more rows than its base, for tokens that were added.
    ...(embedding && { vocab_size: embedding.shape[0] }),
  });
  writeModelCard(folder, files.reference);
  json('generation_config.json', generationConfigOf(files));
  const { tokenizer, tokenizerFolder } = files;
  if (tokenizerFolder === null) {
    json('tokenizer.json', tokenizer?.tokenizer ?? null);
    json('tokenizer_config.json', tokenizer?.config ?? null);
    return;
  }
  copyTokenizer(tokenizerFolder, folder);
  if (files.ownTemplate !== undefined) writeChatTemplates(folder, files.ownTemplate);
}
