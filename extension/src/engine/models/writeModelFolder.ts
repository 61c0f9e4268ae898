// Writes a complete model as a folder that Transformers can load: the result of FULL and of `merge`.
import { join } from 'node:path';
import { contentFile, jsonFile, writeFolderFiles, type FolderFile, type FolderFiles } from '../files/folderFile.js';
import { readJsonObject } from '../files/jsonFile.js';
import { templateFiles, tokenizerFiles } from '../files/huggingfaceFolder.js';
import { safetensorsBytes, writeDeviceTensors } from '../files/safetensors.js';
import { entryBytes, valueCount, type FloatDtype } from '../files/tensorEntry.js';
import type { ModelFiles } from '../files/tensorSource.js';
import type { CausalLm } from './causalLm.js';
import { allParameters, isUntied, piecesOfValues, type ChangedParameters } from './changedParameters.js';
import { generationConfigOf } from './endTokens.js';
import { MODEL_CARD, modelCard } from './modelCard.js';

export interface ModelFolderOptions {
  /** Of all tensors; F32 by default. */
  dtype?: FloatDtype;
  /** Bytes of the tensors of a file, as far as a single one isn't larger; one file by default. */
  maxShardBytes?: number;
  /** Names of tensors in the folder, if they differ from the model's. */
  tensorName?: (name: string) => string;
  /** Called before each tensor; may throw to end the work. */
  onTensor?: (name: string) => void;
}

/** The names of Transformers. */
const TORCH_DTYPES: Readonly<Record<FloatDtype, string>> = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' };

/** @param changed parameters that replace the model's own */
export function writeModelFolder(
  folder: string,
  model: CausalLm,
  files: ModelFiles,
  changed: ChangedParameters,
  options: ModelFolderOptions = {},
): Promise<void> {
  return writeFolderFiles(folder, modelFolderFiles(model, files, changed, options));
}

/** The files of the folder. @param changed parameters that replace the model's own */
export function modelFolderFiles(
  model: CausalLm,
  files: ModelFiles,
  changed: ChangedParameters,
  { dtype = 'F32', maxShardBytes = Infinity, tensorName = name => name, onTensor }: ModelFolderOptions = {},
): FolderFiles {
  const { architecture } = model;
  const folder = new Map<string, FolderFile>();
  const json = (name: string, value: Record<string, unknown> | null) => {
    if (value) folder.set(name, jsonFile(value));
  };
  const parameters = [...allParameters(model, changed)].map(([name, parameter]) => ({
    name: tensorName(name),
    ...parameter,
  }));
  const shards = inShards(parameters, ({ shape }) => entryBytes({ shape, dtype }), maxShardBytes);
  const fileOf = (i: number) => (shards.length === 1 ? 'model.safetensors' : shardName(i, shards.length));
  for (const [i, shard] of shards.entries())
    folder.set(fileOf(i), {
      bytes: safetensorsBytes(shard.map(({ name, shape }) => ({ name, shape, dtype }))),
      write: path => {
        const tensors = shard.map(({ name, ...parameter }) => {
          return [name, { shape: parameter.shape, pieces: () => piecesOfValues(parameter) }] as const;
        });
        return writeDeviceTensors(path, new Map(tensors), { dtype, onTensor });
      },
    });
  if (shards.length > 1) {
    const total = parameters.reduce((sum, { shape }) => sum + valueCount(shape), 0);
    const places = shards.flatMap((shard, i) => shard.map(({ name }) => [name, fileOf(i)] as const));
    json('model.safetensors.index.json', {
      metadata: { total_parameters: total, total_size: entryBytes({ shape: [total], dtype }) },
      weight_map: Object.fromEntries(places.toSorted(([a], [b]) => (a < b ? -1 : 1))),
    });
  }

  // GGUF's blocks are written as floats.
  const { torch_dtype: _dtype, dtype: _newDtype, ...config } = files.config;
  const isTied = architecture.tieWordEmbeddings && !isUntied(architecture, changed);
  const embedding = changed.get(`${architecture.embedding}.weight`);
  json('config.json', {
    ...config,
    torch_dtype: TORCH_DTYPES[dtype],
    ...(!isTied && { tie_word_embeddings: false }),
    // An adapter can have more rows than its base, for tokens that were added.
    ...(embedding && { vocab_size: embedding.shape[0] }),
  });
  folder.set(MODEL_CARD, contentFile(Buffer.from(modelCard(files.reference))));
  json('generation_config.json', generationConfigOf(files));
  const { tokenizer, tokenizerFolder, ownTemplate } = files;
  if (tokenizerFolder === null) {
    json('tokenizer.json', tokenizer?.tokenizer ?? null);
    json('tokenizer_config.json', tokenizer?.config ?? null);
    return folder;
  }
  for (const [name, content] of tokenizerFiles(tokenizerFolder)) folder.set(name, contentFile(content));
  if (ownTemplate === undefined) return folder;
  for (const [name, content] of templateFiles(ownTemplate)) folder.set(name, contentFile(content));
  // Some programs read the template there, before the one in a file of its own.
  const kept = readJsonObject(join(tokenizerFolder, 'tokenizer_config.json'));
  if (kept && 'chat_template' in kept) {
    const { chat_template: _, ...others } = kept;
    json('tokenizer_config.json', others);
  }
  return folder;
}

function shardName(index: number, count: number): string {
  const digits = (number: number) => String(number).padStart(5, '0');
  return `model-${digits(index + 1)}-of-${digits(count)}.safetensors`;
}

/** In order, as Transformers splits them: a tensor that is larger than a file may be has its own. */
function inShards<T>(items: readonly T[], bytesOf: (item: T) => number, most: number): T[][] {
  const shards: T[][] = [];
  let current: T[] = [];
  let bytes = 0;
  for (const item of items) {
    const size = bytesOf(item);
    if (size > most) {
      shards.push([item]);
      continue;
    }
    if (bytes + size > most) {
      shards.push(current);
      current = [];
      bytes = 0;
    }
    current.push(item);
    bytes += size;
  }
  return current.length > 0 ? [...shards, current] : shards;
}
