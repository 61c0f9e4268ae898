// Reads a pretrained model's weights into tensors, one at a time, after checking every name and shape.
import { InputError } from '../../core/inputError.js';
import type { UsedWeights } from '../../protocol/runConfig.js';
import type { ModelFiles, StoredTensor } from '../files/tensorSource.js';
import { WeightBlocks } from '../files/weightBlocks.js';
import type { Architecture, ParameterSpec } from './architecture.js';
import { CausalLm } from './causalLm.js';
import { QuantizedWeight, uploaded, type Weight, type WeightLayout } from './quantizedWeight.js';
import { architectureOf } from './registry.js';
import { weightLayouts } from './weightLayouts.js';

const FLOAT32: UsedWeights = { base_weights: 'float32', precision: 'float32' };

export interface LoadOptions {
  /** Format of frozen matrices; float32 by default. */
  settings?: UsedWeights;
  onProgress?: (done: number, total: number) => void;
  onWarning?: (code: string, message: string) => void;
}

/** The architecture of a model on disk. @throws InputError on an unsupported configuration */
export function architectureOfFiles(files: ModelFiles): Architecture {
  return architectureOf(files.config, files.format === 'gguf' ? files.path : `${files.path}/config.json`);
}

/**
 * Loads a model, which owns its tensors.
 * @throws InputError that names a tensor that is missing or whose shape differs from the configuration's
 */
export function loadModel(
  files: ModelFiles,
  { settings = FLOAT32, onProgress, onWarning }: LoadOptions = {},
): CausalLm {
  const architecture = architectureOfFiles(files);
  const stored = findTensors(files, architecture);
  warnOfUnused(files, architecture, stored, onWarning);
  const layouts = weightLayouts(architecture, stored, settings);
  const weights = new Map<string, Weight>();
  architecture.parameters.forEach(({ name, shape }, i) => {
    const layout = layouts.get(name);
    const tensor = stored[i]!;
    const read = () => uploaded(tensor.readFloat32(), [...shape], 'float32');
    weights.set(name, layout ? QuantizedWeight.of(readBlocks(tensor, layout), layout) : read());
    onProgress?.(i + 1, stored.length);
  });
  return new CausalLm(architecture, weights);
}

/** The file's own blocks if they have the format, else its values, quantized piece by piece. */
function readBlocks(tensor: StoredTensor, { format, shape }: WeightLayout): WeightBlocks {
  if (tensor.blocks?.format === format) return tensor.blocks.read();
  const blocks = new WeightBlocks(format, shape);
  let row = 0;
  for (const values of tensor.readFloat32Rows()) {
    blocks.quantizeRows(row, values);
    row += values.length / shape[1];
  }
  return blocks;
}

/**
 * The stored tensor of each parameter; reads no values.
 * @throws InputError that names a tensor that is missing or whose shape differs from the configuration's
 */
export function findTensors(files: ModelFiles, architecture: Architecture): StoredTensor[] {
  return architecture.parameters.map(parameter => findTensor(files, parameter));
}

/** The stored tensor of a parameter. In a model that was saved without its head, names lack the first part. */
export function findTensor(files: ModelFiles, { name, shape }: ParameterSpec): StoredTensor {
  const tensor = files.tensors.get(name) ?? files.tensors.get(name.slice(name.indexOf('.') + 1));
  if (!tensor) throw new InputError(`tensor ${name} is missing`, { file: files.path });
  if (tensor.shape.length !== shape.length || tensor.shape.some((size, i) => size !== shape[i]))
    throw new InputError(`has shape [${tensor.shape.join(', ')}], but the configuration says [${shape.join(', ')}]`, {
      ...tensor.place,
      hint: 'config.json and the weights belong to different models, or one of them is damaged.',
    });
  return tensor;
}

/** Buffers that older checkpoints contain in addition to the parameters. */
const BUFFERS = /(rotary_emb\.inv_freq|attn\.(masked_)?bias)$/;

function warnOfUnused(
  files: ModelFiles,
  architecture: Architecture,
  used: readonly StoredTensor[],
  onWarning: LoadOptions['onWarning'],
): void {
  const known = new Set(used);
  const unused = [...files.tensors].filter(
    ([name, tensor]) => !known.has(tensor) && !BUFFERS.test(name) && name !== `${architecture.head}.weight`,
  );
  if (unused.length > 0)
    onWarning?.(
      'tensors_unused',
      `${files.path}: ignored ${unused.length} tensors that a ${architecture.modelType} model doesn't have, such as ${unused[0]![0]}`,
    );
}
