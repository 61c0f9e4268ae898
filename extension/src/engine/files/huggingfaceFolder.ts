// Opens a Hugging Face model folder: config.json, tokenizer files, one or several safetensors files, with all headers checked.
// Called by resolveModel.ts. Never reads a weight file outside the folder; weights are only read on request.
import { existsSync, readdirSync } from 'node:fs';
import { isAbsolute, join, normalize, sep } from 'node:path';
import { namedTemplates } from '../../core/text/namedTemplates.js';
import type { TokenizerFiles } from '../../core/text/textTokenizer.js';
import {
  TEMPLATES,
  readTemplates,
  readTokenizerFolder,
  tokenizerPaths,
  type FolderReader,
} from '../../core/text/tokenizerFolder.js';
import { InputError } from '../../core/inputError.js';
import { namesIn, readBytes, readText } from '../../system/regularFile.js';
import { writeFileAtomically } from './atomicFile.js';
import { readJsonObject } from './jsonFile.js';
import { quantizationInConfig, quantizationOfTensors, quantizedError } from './quantizedFolder.js';
import { openSafetensors, type SafetensorsFile } from './safetensors.js';
import type { ModelFiles, StoredTensor } from './tensorSource.js';

/**
 * @param path the folder
 * @param reference the model as named by the user
 * @throws InputError if a file is missing or broken, or refers to something that doesn't exist
 */
export function openHuggingFaceFolder(path: string, reference: string): ModelFiles {
  const config = readJsonObject(join(path, 'config.json'));
  if (!config) {
    throw new InputError('the folder has no config.json', {
      file: path,
      hint: 'A Hugging Face model folder contains config.json, tokenizer.json and model.safetensors.',
    });
  }
  const generationConfig = readJsonObject(join(path, 'generation_config.json'));
  checkEndTokens(config, join(path, 'config.json'));
  checkEndTokens(generationConfig ?? {}, join(path, 'generation_config.json'));
  const tokenizer = readTokenizer(path);
  const { tensors, close } = openUnquantized(path, reference, config);
  return {
    reference,
    path,
    format: 'huggingface',
    config,
    generationConfig,
    tokenizer,
    tokenizerFolder: path,
    tensors,
    close,
  };
}

/** Answers would never end at what isn't an id. */
function checkEndTokens({ eos_token_id: ends = null }: Record<string, unknown>, file: string): void {
  const wrong = [ends].flat().find(id => id !== null && !Number.isSafeInteger(id));
  if (wrong !== undefined)
    throw new InputError(`${JSON.stringify(wrong)} is not the id of a token`, {
      file,
      key: 'eos_token_id',
      hint: 'It is a whole number, or a list of them.',
    });
}

/** @returns null if the folder has no tokenizer.json */
export function readTokenizer(folder: string): TokenizerFiles | null {
  const files = readTokenizerFolder(readerOf(folder));
  if (!files?.templatePlace) return files;
  const { file, ...key } = files.templatePlace;
  return { ...files, templatePlace: { file: join(folder, file), ...key } };
}

/** chat_template of a folder that may have no tokenizer.json: a text, named texts, or null. */
export function readChatTemplates(folder: string): unknown {
  return readTemplates(readerOf(folder));
}

function readerOf(folder: string): FolderReader {
  return {
    json: name => readJsonObject(join(folder, name)),
    text: name => readText(join(folder, name)),
    names: name => namesIn(join(folder, name)),
  };
}

/** All files of a folder's tokenizer, including one that this program can't use: path and content. */
export function tokenizerFiles(folder: string): [path: string, content: Buffer][] {
  return tokenizerPaths({ names: within => namesIn(join(folder, within)) }).flatMap(path => {
    const content = readBytes(join(folder, path));
    return content ? [[path, content]] : [];
  });
}

export function copyTokenizer(from: string, to: string): void {
  for (const [path, content] of tokenizerFiles(from)) writeFileAtomically(join(to, path), append => append(content));
}

/** The contents of a folder's tokenizer files, templates included, as one value to compare; null: it has none. */
export function tokenizerContents(folder: string): string | null {
  const files = tokenizerFiles(folder).map(([path, content]) => [path, content.toString('base64')]);
  return files.length === 0 ? null : JSON.stringify(files);
}

/** Writes chat_template of a tokenizer's config, which then counts before the one in the folder. */
export function writeChatTemplates(folder: string, template: unknown): void {
  for (const [path, content] of templateFiles(template))
    writeFileAtomically(join(folder, path), append => append(content));
}

/** The files of chat_template of a tokenizer's config: path and content. */
export function templateFiles(template: unknown): [path: string, content: Buffer][] {
  return namedTemplates(template).map(({ name, template: text }) => [
    name === 'default' ? 'chat_template.jinja' : join(TEMPLATES, `${name}.jinja`),
    Buffer.from(text),
  ]);
}

/** @throws InputError if the weights are quantized, which is reported before any other problem with them */
function openUnquantized(path: string, reference: string, config: Record<string, unknown>) {
  const named = quantizationInConfig(config);
  let weights: ReturnType<typeof openWeights> | null = null;
  try {
    weights = openWeights(path);
    const stored = quantizationOfTensors(weights.tensors);
    const quantization = named ?? stored;
    if (!quantization) return weights;
    throw quantizedError({ quantization, path, reference, config, isPlain: stored === null });
  } catch (error) {
    weights?.close();
    if (weights || !named) throw error;
    throw quantizedError({ quantization: named, path, reference, config, isPlain: false });
  }
}

function openWeights(folder: string): { tensors: Map<string, StoredTensor>; close(): void } {
  if (existsSync(join(folder, 'model.safetensors'))) return openSafetensors(join(folder, 'model.safetensors'));
  const indexPath = join(folder, 'model.safetensors.index.json');
  const index = readJsonObject(indexPath);
  if (index) return openShards(folder, indexPath, index);
  if (readdirSync(folder).some(name => /^pytorch_model.*\.bin$/.test(name))) {
    throw new InputError('the folder has its weights only as pytorch_model.bin, which can contain code', {
      file: folder,
      hint: 'Convert it to safetensors: load it in Transformers and call save_pretrained().',
    });
  }
  throw new InputError('the folder has neither model.safetensors nor model.safetensors.index.json', { file: folder });
}

function openShards(folder: string, indexPath: string, index: Record<string, unknown>) {
  const weightMap = index.weight_map;
  if (typeof weightMap !== 'object' || weightMap === null)
    throw new InputError('weight_map is missing', { file: indexPath });
  const shards = new Map<string, SafetensorsFile>();
  const tensors = new Map<string, StoredTensor>();
  const close = () => shards.forEach(shard => shard.close());
  try {
    for (const [name, shardName] of Object.entries(weightMap)) {
      let shard = shards.get(shardName);
      if (!shard) {
        shard = openSafetensors(shardPath(folder, indexPath, shardName));
        shards.set(shardName, shard);
      }
      const tensor = shard.tensors.get(name);
      if (!tensor)
        throw new InputError(`${name} is listed in ${shardName}, but the file does not contain it`, {
          file: indexPath,
        });
      tensors.set(name, tensor);
    }
  } catch (error) {
    close();
    throw error;
  }
  return { tensors, close };
}

function shardPath(folder: string, indexPath: string, shardName: unknown): string {
  const outside =
    typeof shardName !== 'string' || isAbsolute(shardName) || normalize(shardName).split(/[\\/]/)[0] === '..';
  if (outside) {
    throw new InputError(`the shard ${JSON.stringify(shardName)} is outside the model's folder`, {
      file: indexPath,
    });
  }
  const path = join(folder, ...shardName.split(sep));
  if (!existsSync(path)) {
    throw new InputError(`the shard ${shardName} is missing`, { file: indexPath, hint: 'Download or copy it again.' });
  }
  return path;
}
