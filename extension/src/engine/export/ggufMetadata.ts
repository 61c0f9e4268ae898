// The metadata of a model folder that is written as GGUF: what llama.cpp's converter writes for the family, its sizes and rotary
// scaling, and where the model comes from. Called by ggufParts.ts. What the format can't carry is an error. Facts from llama.cpp's
// `conversion/` and gguf-py's `metadata.py`.
import { basename } from 'node:path';
import { InputError } from '../../core/inputError.js';
import { tokenizerMetadata } from '../files/ggufTokenizerMetadata.js';
import type { GgufTypedValue } from '../files/ggufWriter.js';
import { valueCount } from '../files/tensorEntry.js';
import type { ModelFiles } from '../files/tensorSource.js';
import { createTokenizer } from '../../core/text/huggingFaceTokenizer.js';
import { withinTime } from '../../system/boundedWork.js';
import type { Architecture } from '../models/architecture.js';
import type { ChangedParameters } from '../models/changedParameters.js';
import { endTokensOf } from '../models/endTokens.js';
import { baseModelOf, licenceOf } from '../models/modelCard.js';
import { ropeKey, type RopeScaling } from '../models/rotaryFrequencies.js';
import { templateMetadata } from './ggufTemplates.js';

type Metadata = Map<string, GgufTypedValue>;

const text = (value: string): GgufTypedValue => ({ type: 'string', value });
const size = (value: number): GgufTypedValue => ({ type: 'uint32', value });
const float = (value: number): GgufTypedValue => ({ type: 'float32', value });

/** The version of the block layouts, which llama.cpp requires. */
export const GGUF_QUANTIZATION_VERSION = 2;

export interface FolderToWrite {
  files: ModelFiles;
  architecture: Architecture;
  /** All parameters of the model. */
  parameters: ChangedParameters;
  /** Whether adapters were merged. */
  isMerged: boolean;
  /** GGUF's name of the architecture. */
  target: string;
  fileType: number;
}

/** @throws InputError on what the format can't express */
export function metadataOfFolder(written: FolderToWrite): Metadata {
  const { files, architecture, target, fileType, parameters } = written;
  const rows = parameters.get(`${architecture.embedding}.weight`)!.shape[0];
  return new Map<string, GgufTypedValue>([
    ['general.architecture', text(target)],
    ...provenance(written),
    ...sizes(architecture, target),
    ...(architecture.positionEmbedding !== null
      ? learnedPositions(architecture, target)
      : rotaryDecoder(written, rows)),
    ['general.file_type', size(fileType)],
    ['general.quantization_version', size(GGUF_QUANTIZATION_VERSION)],
    ...tokenizerPart(files, rows),
  ]);
}

/** Name, size, licence and base, as far as they are known. */
function provenance({ files, parameters, isMerged }: FolderToWrite): [string, GgufTypedValue][] {
  const count = [...parameters.values()].reduce((sum, { shape }) => sum + valueCount(shape), 0);
  const named = basename(files.reference) || basename(files.path);
  const licence = licenceOf(files.path);
  const base = isMerged && isHubId(files.reference) ? files.reference : baseModelOf(files.path);
  return [
    ['general.type', text('model')],
    ['general.name', text(named.replaceAll(/[-_]+/g, ' ').trim())],
    ['general.size_label', text(sizeLabel(count))],
    ...(licence === null ? [] : [['general.license', text(licence)] as [string, GgufTypedValue]]),
    ...(base !== null && isHubId(base) ? baseMetadata(base) : []),
  ];
}

function isHubId(reference: string): boolean {
  return /^[\w.-]+\/[\w.-]+$/.test(reference) && !reference.startsWith('.');
}

function baseMetadata(id: string): [string, GgufTypedValue][] {
  const [organization, name] = id.split('/') as [string, string];
  const plain = (part: string) => text(part.replaceAll(/[-_]+/g, ' '));
  return [
    ['general.base_model.count', size(1)],
    ['general.base_model.0.name', plain(name)],
    ['general.base_model.0.organization', plain(organization)],
    ['general.base_model.0.repo_url', text(`https://huggingface.co/${id}`)],
  ];
}

/** As gguf-py rounds it: two digits at least, such as 135M or 1.7B. */
export function sizeLabel(parameters: number): string {
  const [scaled, suffix] =
    parameters > 1e12
      ? [parameters * 1e-12, 'T']
      : parameters > 1e9
        ? [parameters * 1e-9, 'B']
        : parameters > 1e6
          ? [parameters * 1e-6, 'M']
          : [parameters * 1e-3, 'K'];
  return `${scaled.toFixed(Math.round(scaled) >= 10 ? 0 : 1)}${suffix}`;
}

/** What llama.cpp reads of every family. */
function sizes({ hiddenSize, maxPositions, layers }: Architecture, target: string): [string, GgufTypedValue][] {
  const [{ attention, mlp }] = layers;
  return [
    [`${target}.block_count`, size(layers.length)],
    [`${target}.context_length`, size(maxPositions)],
    [`${target}.embedding_length`, size(hiddenSize)],
    [`${target}.feed_forward_length`, size(mlp.width)],
    [`${target}.attention.head_count`, size(attention.heads)],
  ];
}

function learnedPositions({ layers }: Architecture, target: string): [string, GgufTypedValue][] {
  return [[`${target}.attention.layer_norm_epsilon`, float(layers[0].attentionNorm.epsilon)]];
}

function rotaryDecoder({ files, architecture, target }: FolderToWrite, rows: number): [string, GgufTypedValue][] {
  const [{ attention, attentionNorm }] = architecture.layers;
  return [
    [`${target}.attention.head_count_kv`, size(attention.keyValueHeads)],
    [`${target}.attention.key_length`, size(attention.headDim)],
    [`${target}.attention.value_length`, size(attention.headDim)],
    [`${target}.attention.layer_norm_rms_epsilon`, float(attentionNorm.epsilon)],
    [`${target}.vocab_size`, size(rows)],
    [`${target}.rope.dimension_count`, size(attention.headDim)],
    [`${target}.rope.freq_base`, float(ropeTheta(files.config))],
    ...ropeScaling(files, architecture, target),
  ];
}

export function scalingOf(config: Readonly<Record<string, unknown>>): RopeScaling | null {
  return (config[ropeKey(config)] ?? null) as RopeScaling | null;
}

export function ropeTheta(config: Readonly<Record<string, unknown>>): number {
  return scalingOf(config)?.rope_theta ?? (config['rope_theta'] as number | undefined) ?? 10000;
}

function ropeScaling({ config, path }: ModelFiles, { layers, maxPositions }: Architecture, target: string) {
  const scaling = scalingOf(config);
  const type = scaling?.rope_type ?? scaling?.type ?? 'default';
  const key = (name: string) => `${target}.rope.scaling.${name}`;
  const original =
    (config['original_max_position_embeddings'] as number | undefined) ??
    scaling?.original_max_position_embeddings ??
    maxPositions;
  // As in Transformers, where only YaRN may leave it out.
  const factor = scaling?.factor ?? maxPositions / original;
  switch (type) {
    case 'default':
    // A tensor, see ropeFactors.
    case 'llama3':
      return [];
    case 'linear':
      return [
        [key('type'), text('linear')],
        [key('factor'), float(factor)],
      ] as [string, GgufTypedValue][];
    case 'yarn': {
      // llama.cpp multiplies its own attention factor by that of the file.
      const attention = layers[0].attention.rotary!.scale / (1 + 0.1 * Math.log(factor));
      // It has keys for these, but reads them for other families only.
      for (const [name, only] of [
        ['beta_fast', 32],
        ['beta_slow', 1],
      ] as const)
        if ((scaling?.[name] ?? only) !== only)
          throw new InputError(`llama.cpp computes YaRN with a ${name} of ${only} for this family`, {
            file: `${path}/config.json`,
            key: `${ropeKey(config)}.${name}`,
            hint: 'Write a Hugging Face folder instead: --out FOLDER.',
          });
      return [
        [key('type'), text('yarn')],
        [key('factor'), float(factor)],
        [key('original_context_length'), size(original)],
        ...(Math.abs(attention - 1) > 1e-6 ? [[key('attn_factor'), float(attention)]] : []),
      ] as [string, GgufTypedValue][];
    }
    default:
      throw new InputError(`rotary scaling ${type} can't be written as GGUF for this family`, {
        file: `${path}/config.json`,
        key: ropeKey(config),
        hint: 'llama.cpp has no such scaling here. Write a Hugging Face folder instead: --out FOLDER.',
      });
  }
}

/** Llama 3's scaling as llama.cpp has it: the divisor of each frequency; null for other scalings. */
export function ropeFactors({ config }: ModelFiles, { layers }: Architecture): Float32Array | null {
  const scaling = scalingOf(config);
  const { rotary, headDim } = layers[0].attention;
  if (!rotary || (scaling?.rope_type ?? scaling?.type) !== 'llama3') return null;
  const theta = ropeTheta(config);
  return Float32Array.from(rotary.inverseFrequencies, (scaled, i) => theta ** ((-2 * i) / headDim) / scaled);
}

function tokenizerPart(files: ModelFiles, rows: number): [string, GgufTypedValue][] {
  const { tokenizer: tokenizerFiles, config, path } = files;
  if (!tokenizerFiles)
    throw new InputError('there is no tokenizer.json, and llama.cpp runs no model without its tokenizer', {
      file: path,
      hint: 'Save the tokenizer with the model (tokenizer.save_pretrained), or write a folder: --out FOLDER.',
    });
  const tokenizer = createTokenizer(tokenizerFiles, withinTime);
  const metadata = tokenizerMetadata({ files: tokenizerFiles, tokenizer, rows, config, path });
  // Further tokens that end an answer.
  const ends = endTokensOf({ tokenizer, files }).filter(id => id !== tokenizer.eosTokenId);
  ends.slice(0, 2).forEach((id, i) => metadata.set(`tokenizer.ggml.${i === 0 ? 'eot' : 'eom'}_token_id`, size(id)));
  for (const [key, value] of templateMetadata(tokenizerFiles.config['chat_template'])) metadata.set(key, value);
  return [...metadata];
}
