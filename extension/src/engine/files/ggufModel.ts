// Opens a GGUF file as a model: config, tokenizer and chat template from its metadata, tensors with Hugging Face's names and
// layout. Called by resolveModel.ts. An unknown tensor is an error, since ignoring it would change what the model computes.
import { InputError } from '../../core/inputError.js';
import { openGgufFile } from './gguf.js';
import { ggufConfig, ggufGenerationConfig } from './ggufConfig.js';
import { GgufMetadata } from './ggufMetadata.js';
import { GGUF_ARCHITECTURES, huggingFaceParameterName } from './ggufNames.js';
import { ggufTokenizer } from './ggufTokenizer.js';
import { rotaryRowFromGguf, rotaryRowsFromGguf, transpose } from './ggufTransforms.js';
import type { ModelFiles, StoredTensor } from './tensorSource.js';

/** Names of tables that the model computes itself, and of factors that are part of the config. */
export const NOT_PARAMETERS =
  /^rope_(freqs|factors_short|factors_long)\.weight$|\.attn_rot_embd\.weight$|\.rope_freqs\.weight$/;

/**
 * @param reference the model as named by the user
 * @throws InputError if the file is broken, or its architecture or quantization is not supported
 */
export function openGguf(path: string, reference: string): ModelFiles {
  const file = openGgufFile(path);
  try {
    const metadata = new GgufMetadata(file.metadata, path);
    const architecture = readArchitecture(metadata);
    const config = ggufConfig(architecture, metadata, file.tensors);
    const heads = {
      rotary_q: (config.num_attention_heads ?? 0) as number,
      rotary_k: (config.num_key_value_heads ?? 0) as number,
    };
    const tensors = new Map<string, StoredTensor>();
    for (const tensor of file.tensors.values()) {
      if (NOT_PARAMETERS.test(tensor.name)) continue;
      const renamed = inHuggingFaceLayout(tensor, architecture, heads);
      tensors.set(renamed.name, renamed);
    }
    return {
      reference,
      path,
      format: 'gguf',
      config,
      generationConfig: ggufGenerationConfig(metadata),
      tokenizer: ggufTokenizer(architecture, metadata),
      tokenizerFolder: null,
      tensors,
      close: file.close,
    };
  } catch (error) {
    file.close();
    throw error;
  }
}

function readArchitecture(metadata: GgufMetadata): string {
  const architecture = metadata.optionalString('general.architecture') ?? 'unknown';
  if ((metadata.optionalNumber('split.count') ?? 1) > 1) {
    metadata.fail(
      'split.count',
      'this file is one part of several',
      'Join them: llama-gguf-split --merge FIRST.gguf OUT.gguf',
    );
  }
  if (!GGUF_ARCHITECTURES.includes(architecture)) {
    const supported = `Supported are ${GGUF_ARCHITECTURES.join(', ')} (Mistral models have the architecture llama).`;
    metadata.fail('general.architecture', `the architecture ${architecture} is not supported`, supported);
  }
  return architecture;
}

function inHuggingFaceLayout(
  tensor: StoredTensor,
  architecture: string,
  heads: { rotary_q: number; rotary_k: number },
): StoredTensor {
  const found = huggingFaceParameterName(architecture, tensor.name);
  if (!found) {
    throw new InputError(`unknown tensor of a ${architecture} model`, {
      ...tensor.place,
      hint: 'This variant of the architecture is not supported: use a standard model.',
    });
  }
  const { name, transform } = found;
  switch (transform) {
    case 'none':
      return { ...tensor, name };
    case 'transpose': {
      const [rows, columns] = matrixShape(tensor);
      return {
        ...tensor,
        name,
        shape: [columns, rows],
        ...transposedRows(tensor, rows, columns),
        ...(tensor.blocks && { blocks: { ...tensor.blocks, transposed: true } }),
      };
    }
    case 'rotary_q':
    case 'rotary_k': {
      if (tensor.shape[0] % (2 * heads[transform]) !== 0) {
        throw new InputError(`${tensor.shape[0]} rows don’t fit ${heads[transform]} heads`, tensor.place);
      }
      const { blocks } = tensor;
      const place = (row: number) => rotaryRowFromGguf(row, tensor.shape[0] / heads[transform]);
      return {
        ...tensor,
        name,
        ...rotaryRows(tensor, heads[transform]),
        ...(blocks && { blocks: { ...blocks, read: () => blocks.read(place) } }),
      };
    }
  }
}

type Reading = Pick<StoredTensor, 'readFloat32' | 'readRows'>;

function transposedRows(tensor: StoredTensor, rows: number, columns: number): Reading {
  const readFloat32 = () => transpose(tensor.readFloat32(), rows, columns);
  return { readFloat32, readRows: (first, count) => readFloat32().subarray(first * rows, (first + count) * rows) };
}

/** Rows change places within a head, so that whole heads are read. */
function rotaryRows(tensor: StoredTensor, heads: number): Reading {
  const { shape, readRows } = tensor;
  if (shape.length === 1) {
    const readFloat32 = () => rotaryRowsFromGguf(tensor.readFloat32(), heads, 1);
    return { readFloat32, readRows: readFloat32 };
  }
  const [, columns] = matrixShape(tensor);
  const headRows = shape[0] / heads;
  const readHeads = (first: number, count: number) =>
    rotaryRowsFromGguf(readRows(first * headRows, count * headRows), count, columns);
  return {
    readFloat32: () => readHeads(0, heads),
    readRows: (first, count) => {
      const head = Math.floor(first / headRows);
      const values = readHeads(head, Math.ceil((first + count) / headRows) - head);
      const begin = (first - head * headRows) * columns;
      return values.subarray(begin, begin + count * columns);
    },
  };
}

function matrixShape({ shape, place }: StoredTensor): [rows: number, columns: number] {
  if (shape.length !== 2) throw new InputError(`the tensor has shape [${shape}] instead of that of a matrix`, place);
  return [shape[0], shape[1]];
}
