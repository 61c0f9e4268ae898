// A merged or converted model as the parts of a GGUF file: its metadata and its tensors, each encoded when it is written. Called by
// `merge`. What isn't changed in a GGUF base is copied byte for byte.
import type { Place } from '../../core/codedError.js';
import { InputError } from '../../core/inputError.js';
import type { ExportEntryOf, GgufModelType } from '../../protocol/exportConfig.js';
import { createTokenizer } from '../../core/text/huggingFaceTokenizer.js';
import { withinTime } from '../../system/boundedWork.js';
import { readGgufHeader, type GgufHeader, type GgufTensorInfo } from '../files/ggufHeader.js';
import { NOT_PARAMETERS } from '../files/ggufModel.js';
import {
  ggufArchitecture,
  ggufLimits,
  ggufParameterName,
  huggingFaceParameterName,
  type GgufTransform,
} from '../files/ggufNames.js';
import { blockBytesOf, checkEncoded, encodeRows, encodedBytes } from '../files/ggufQuantizers.js';
import { toGgufLayout } from '../files/ggufTransforms.js';
import { metadataPair, type GgufFileParts, type GgufStreamedEntry, type GgufTypedValue } from '../files/ggufWriter.js';
import { RandomAccessFile } from '../files/randomAccessFile.js';
import { valueCount } from '../files/tensorEntry.js';
import { rowPieces, type ModelFiles } from '../files/tensorSource.js';
import type { Architecture } from '../models/architecture.js';
import {
  allParameters,
  isUntied,
  piecesOfValues,
  valuesOf,
  type ChangedParameter,
} from '../models/changedParameters.js';
import { endMetadata, endsByText } from './ggufEnds.js';
import { GGUF_QUANTIZATION_VERSION, metadataOfFolder, ropeFactors } from './ggufMetadata.js';
import { endTokensOf } from '../models/endTokens.js';
import { templateMetadata } from './ggufTemplates.js';
import {
  PLAIN_TYPES,
  fallbackOf,
  ggufModelTypes,
  usableType,
  wantedType,
  type Fallback,
  type TypedModel,
  type TypedTensor,
} from './ggufTypes.js';
import { embeddingRowsOf, type MergedModel } from './mergedModel.js';

export type GgufChoice = Pick<ExportEntryOf<'gguf'>, 'type' | 'touched'>;

export interface PartEntry extends GgufStreamedEntry {
  /** Whether its bytes are the base's. */
  isCopy: boolean;
  /** If it has another type than was chosen. */
  fallback: Fallback | null;
}

export interface OpenedParts extends GgufFileParts {
  tensors: readonly PartEntry[];
  /** Closes what the tensors are read from. */
  close(): void;
}

/** Blocks or values that are copied at a time. */
const PIECE_BLOCKS = 1 << 17;

/** The parts of the file that a model becomes. @throws InputError if it can't be expressed, or a tensor not be written in its type */
export function ggufParts(merged: MergedModel, choice: GgufChoice): OpenedParts {
  return merged.files.format === 'gguf' ? partsOfGguf(merged, choice) : partsOfFolder(merged, choice);
}

/** As llama.cpp's converter writes them. */
function partsOfFolder({ files, model, changed, folders }: MergedModel, choice: GgufChoice): OpenedParts {
  const { architecture } = model;
  const target = ggufArchitecture(architecture.modelType);
  if (!target)
    throw new InputError(`a ${architecture.modelType} model can't be written as GGUF`, {
      file: files.path,
      hint: 'Write a Hugging Face folder instead: --out FOLDER.',
    });
  checkExpressible(files, architecture, target);
  const parameters = allParameters(model, changed);
  const typed = { hasOutput: parameters.has(`${architecture.head}.weight`), layers: architecture.layers.length };
  const tensors = [...parameters].map(([name, parameter]) => {
    const made = (chosen: Chosen) =>
      encoded(name, parameter, chosen, { architecture, ggufArchitecture: target, file: files.path });
    const stored = files.tensors.get(name)?.dtype ?? 'F32';
    const tensor = made({ type: 'F32', fallback: null });
    const own = usableType(PLAIN_TYPES.includes(stored) ? stored : 'F32', tensor);
    return made(chosenType(choice, changed.has(name), own, tensor, typed));
  });
  const factors = ropeFactors(files, architecture);
  if (factors) tensors.unshift(plainEntry('rope_freqs.weight', factors));
  const fileType = choice.type === 'own' ? fileTypeOf(tensors) : ggufModelTypes[choice.type].fileType;
  const metadata = metadataOfFolder({ files, architecture, parameters, adapters: folders, target, fileType });
  const pairs = [...metadata].map(([key, value]) => metadataPair(key, value));
  return { pairs, tensors, close: () => {} };
}

/** @throws InputError on what llama.cpp doesn't read, or reads as something else */
function checkExpressible(
  files: ModelFiles,
  { layers, maxPositions, hiddenSize, linears }: Architecture,
  target: string,
): void {
  const refuse = (message: string, key: string): never => {
    throw new InputError(message, {
      file: `${files.path}/config.json`,
      key,
      hint: 'Write a Hugging Face folder instead: --out FOLDER.',
    });
  };
  const limited = layers.find(({ attention: { window } }) => window !== null && window < maxPositions);
  if (limited)
    refuse(
      `attends to ${limited.attention.window} tokens (sliding window), and llama.cpp to all for this family`,
      'sliding_window',
    );
  const { heads, headDim } = layers[0].attention;
  const limits = ggufLimits(target);
  if (limits.headsFillHidden && heads * headDim !== hiddenSize)
    refuse(
      `${heads} heads of ${headDim} are not the hidden size ${hiddenSize}, which llama.cpp needs for ${target}`,
      'head_dim',
    );
  if (!limits.biases && linears.some(({ hasBias }) => hasBias))
    refuse(`llama.cpp has no biases for ${target}`, 'attention_bias');
}

function plainEntry(name: string, values: Float32Array): PartEntry {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return {
    name,
    shape: [values.length],
    ggmlType: 'F32',
    isCopy: false,
    fallback: null,
    byteLength: bytes.length,
    pieces: () => [bytes],
  };
}

/** The type of most matrices. */
function fileTypeOf(tensors: readonly GgufStreamedEntry[]): number {
  const types = tensors.filter(({ shape }) => shape.length > 1).map(({ ggmlType }) => ggmlType);
  const count = (type: string) => types.filter(other => other === type).length;
  const most = types.toSorted((a, b) => count(b) - count(a))[0];
  return Object.values(ggufModelTypes).find(({ type }) => type === most)!.fileType;
}

/** The parts of a file that a GGUF base becomes. @throws InputError if a tensor can't be written in its own type */
function partsOfGguf(merged: MergedModel, choice: GgufChoice): OpenedParts {
  const file = new RandomAccessFile(merged.files.path);
  try {
    const header = readGgufHeader(file);
    const { version, alignment } = header;
    const tensors = tensorsOfGguf(merged, choice, header, file);
    const pairs = pairsOfGguf(merged, choice, header, file);
    return { version, alignment, pairs, tensors, close: () => file.close() };
  } catch (error) {
    file.close();
    throw error;
  }
}

function tensorsOfGguf(
  { model, changed }: MergedModel,
  choice: GgufChoice,
  header: GgufHeader,
  file: RandomAccessFile,
): PartEntry[] {
  const { architecture } = model;
  const name = header.metadata.get('general.architecture') as string;
  const parameters = allParameters(model, changed);
  const head = `${architecture.head}.weight`;
  const typed = { hasOutput: parameters.has(head), layers: architecture.layers.length };
  const written = header.tensors.map((info): PartEntry => {
    const found = NOT_PARAMETERS.test(info.name) ? null : huggingFaceParameterName(name, info.name)!;
    const parameter = found ? changed.get(found.name) : undefined;
    if (!found) return copied(info, header, file);
    const chosen = chosenType(choice, parameter !== undefined, info.dtype, info, typed);
    if (!parameter && chosen.type === info.dtype) return { ...copied(info, header, file), fallback: chosen.fallback };
    const source = parameter ?? parameters.get(found.name)!;
    return encoded(found.name, source, chosen, { architecture, ggufArchitecture: name, file: file.path });
  });
  if (header.tensors.some(info => info.name === 'output.weight') || !isUntied(architecture, changed)) return written;
  const embedding = header.tensors.find(info => info.name === 'token_embd.weight')!;
  const parameter = changed.get(head);
  if (!parameter) return [...written, { ...copied(embedding, header, file), name: 'output.weight' }];
  const chosen = chosenType(choice, true, embedding.dtype, { ...embedding, name: 'output.weight' }, typed);
  return [...written, encoded(head, parameter, chosen, { architecture, ggufArchitecture: name, file: file.path })];
}

type Chosen = Pick<PartEntry, 'fallback'> & { type: string };

/** @param own the tensor's type in the base */
function chosenType(
  { type, touched }: GgufChoice,
  isChanged: boolean,
  own: string,
  tensor: TypedTensor,
  model: TypedModel,
): Chosen {
  const isTouched = isChanged && touched !== null;
  // A vector of the base keeps its type.
  if (isTouched ? tensor.shape.length < 2 : type === 'own') return { type: own, fallback: null };
  const wanted = isTouched ? touched.toUpperCase() : wantedType(type as GgufModelType, tensor, model);
  return { type: usableType(wanted, tensor), fallback: fallbackOf(wanted, tensor) };
}

function copied(
  { name, shape, dtype, offset }: GgufTensorInfo,
  { dataStart }: GgufHeader,
  file: RandomAccessFile,
): PartEntry {
  const byteLength = encodedBytes(dtype, valueCount(shape));
  const pieceBytes = PIECE_BLOCKS * blockBytesOf(dtype);
  return {
    name,
    shape,
    ggmlType: dtype,
    isCopy: true,
    fallback: null,
    byteLength,
    pieces: function* () {
      const place = { file: file.path, key: name };
      for (let done = 0; done < byteLength; done += pieceBytes) {
        const bytes = new Uint8Array(Math.min(pieceBytes, byteLength - done));
        file.readInto(bytes, dataStart + offset + done, place);
        checkEncoded(dtype, bytes, place);
        yield bytes;
      }
    },
  };
}

/** The base's own bytes, except for what the adapters or the choice of a type change. */
function pairsOfGguf(
  merged: MergedModel,
  { type }: GgufChoice,
  { metadata, pairs }: GgufHeader,
  file: RandomAccessFile,
): Uint8Array[] {
  const { files } = merged;
  const replaced = new Map<string, GgufTypedValue>();
  if (type !== 'own') replaced.set('general.file_type', { type: 'uint32', value: ggufModelTypes[type].fileType });
  if (type !== 'own' || !metadata.has('general.quantization_version'))
    replaced.set('general.quantization_version', { type: 'uint32', value: GGUF_QUANTIZATION_VERSION });
  if (files.ownTemplate !== undefined)
    for (const [key, value] of templateMetadata(files.ownTemplate)) replaced.set(key, value);
  for (const [key, value] of unknownEnds(files, metadata)) replaced.set(key, value);
  if (files.tokenizerFolder !== null || embeddingRowsOf(merged) !== merged.model.architecture.vocabSize)
    throw new InputError('this adapter adds tokens to the model, which is only supported for a base in a folder', {
      file: files.tokenizerFolder ?? files.path,
      hint: 'Name the Hugging Face folder of the base with --model.',
    });
  const kept = [...pairs].map(([key, { begin, end }]) => {
    const value = replaced.get(key);
    replaced.delete(key);
    if (value) return metadataPair(key, value);
    const bytes = new Uint8Array(end - begin);
    file.readInto(bytes, begin, { file: file.path, key });
    return bytes;
  });
  return [...kept, ...[...replaced].map(([key, value]) => metadataPair(key, value))];
}

/** Keys for the tokens that end an answer, such as those of an adapter's own template, and that llama.cpp doesn't know yet. */
function unknownEnds(files: ModelFiles, metadata: GgufHeader['metadata']): Map<string, GgufTypedValue> {
  if (!files.tokenizer) return new Map();
  const tokenizer = createTokenizer(files.tokenizer, withinTime);
  const ends = endTokensOf({ tokenizer, files }).filter(id => !endsByText(tokenizer, id));
  return endMetadata(ends, tokenizer, key => metadata.get(key));
}

interface Target {
  architecture: Architecture;
  /** GGUF's name of it. */
  ggufArchitecture: string;
  /** For messages. */
  file: string;
}

/** A parameter under GGUF's name and in its layout. */
function encoded(
  name: string,
  parameter: ChangedParameter,
  { type, fallback }: Chosen,
  { architecture, ggufArchitecture: target, file }: Target,
): PartEntry {
  const found = ggufParameterName(target, name);
  if (!found) throw new InputError(`llama.cpp has no tensor for this parameter`, { file, key: name });
  const { transform } = found;
  const shape = transform === 'transpose' ? parameter.shape.toReversed() : parameter.shape;
  const columns = shape.at(-1) ?? 1;
  const count = valueCount(shape);
  return {
    name: found.name,
    shape,
    ggmlType: type,
    isCopy: false,
    fallback,
    byteLength: encodedBytes(type, count),
    pieces: async function* () {
      const place = { file, key: found.name };
      if (transform === 'none') {
        for await (const values of piecesOfValues(parameter)) yield* encodedPieces(type, values, columns, place);
        return;
      }
      const heads = headsOf(architecture, name, transform);
      yield* encodedPieces(
        type,
        toGgufLayout(await valuesOf(parameter), parameter.shape, transform, heads),
        columns,
        place,
      );
    },
  };
}

function* encodedPieces(type: string, values: Float32Array, columns: number, place: Place): Iterable<Uint8Array> {
  for (const { first, count } of rowPieces(values.length / columns, columns))
    yield encodeRows(type, values.subarray(first * columns, (first + count) * columns), place);
}

/** Query or key heads of a rotary projection; 0 for other parameters. */
function headsOf({ layers, parameters }: Architecture, name: string, transform: GgufTransform): number {
  const layer = parameters.find(parameter => parameter.name === name)?.layer ?? null;
  if (layer === null) return 0;
  const { heads, keyValueHeads } = layers[layer].attention;
  return transform === 'rotary_k' ? keyValueHeads : heads;
}
