// The metadata of a model folder that is written as GGUF: what llama.cpp's converter writes for the family, its sizes and rotary
// scaling, and where the model comes from. Called by ggufParts.ts. What the format can't carry is an error. Facts from llama.cpp's
// `conversion/` and gguf-py's `metadata.py`.
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
import { ropeKey, type RopeScaling } from '../models/rotaryFrequencies.js';
import { endMetadata } from './ggufEnds.js';
import { templateMetadata } from './ggufTemplates.js';
import { PLAIN_TYPES, ggufModelTypes } from './ggufTypes.js';
import { provenanceMetadata } from './provenance.js';

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
  /** Folders of the adapters that were merged. */
  adapters: readonly string[];
  /** GGUF's name of the architecture. */
  target: string;
  fileType: number;
}

/** @throws InputError on what the format can't express */
export function metadataOfFolder(written: FolderToWrite): Metadata {
  const { files, architecture, target, fileType, parameters } = written;
  const rows = parameters.get(`${architecture.embedding}.weight`)!.shape[0];
  const count = [...parameters.values()].reduce((sum, { shape }) => sum + valueCount(shape), 0);
  return new Map<string, GgufTypedValue>([
    ['general.architecture', text(target)],
    ...provenanceMetadata({ ...written, parameters: count }, isQuantized(fileType)),
    ...sizes(architecture, target),
    ...(architecture.positionEmbedding !== null
      ? learnedPositions(architecture, target)
      : rotaryDecoder(written, rows)),
    ['general.file_type', size(fileType)],
    ['general.quantization_version', size(GGUF_QUANTIZATION_VERSION)],
    ...tokenizerPart(files, rows),
  ]);
}

function isQuantized(fileType: number): boolean {
  return Object.values(ggufModelTypes).some(model => model.fileType === fileType && !PLAIN_TYPES.includes(model.type));
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
  const present = (key: string) => (metadata.get(key) as { value?: unknown } | undefined)?.value;
  for (const [key, value] of endMetadata(endTokensOf({ tokenizer, files }), tokenizer, present))
    metadata.set(key, value);
  for (const [key, value] of templateMetadata(tokenizerFiles.config['chat_template'])) metadata.set(key, value);
  return [...metadata];
}
