// Reads a pretrained model's weights into tensors, one at a time, after every name and size has been checked.
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
  /** How frozen matrices are held; float32 where nothing is said. */
  settings?: UsedWeights;
  onProgress?: (done: number, total: number) => void;
  onWarning?: (code: string, message: string) => void;
}

/** The architecture of a model on disk. @throws InputError on a configuration that can't be used */
export function architectureOfFiles(files: ModelFiles): Architecture {
  return architectureOf(files.config, files.format === 'gguf' ? files.path : `${files.path}/config.json`);
}

/**
 * Loads a model. The result owns its tensors.
 * @throws InputError naming a tensor that is missing or of another shape than the configuration says
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

/** Blocks as the file has them, or rounded piece by piece. */
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
 * The stored tensor of each parameter, by their headers alone.
 * @throws InputError naming a tensor that is missing or of another shape than the configuration says
 */
export function findTensors(files: ModelFiles, architecture: Architecture): StoredTensor[] {
  return architecture.parameters.map(parameter => findTensor(files, parameter));
}

/** A model saved without its head lacks the first part of each name. */
export function findTensor(files: ModelFiles, { name, shape }: ParameterSpec): StoredTensor {
  const tensor = files.tensors.get(name) ?? files.tensors.get(name.slice(name.indexOf('.') + 1));
  if (!tensor) throw new InputError(`tensor ${name} is missing`, { file: files.path });
  if (tensor.shape.length !== shape.length || tensor.shape.some((size, i) => size !== shape[i]))
    throw new InputError(`has shape [${tensor.shape.join(', ')}], the configuration says [${shape.join(', ')}]`, {
      ...tensor.place,
      hint: 'config.json and the weights belong to different models, or one of them is damaged.',
    });
  return tensor;
}

/** Buffers that older checkpoints carry beside the parameters. */
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
      `${files.path}: ${unused.length} tensors are not part of a ${architecture.modelType} model and were left out, such as ${unused[0]![0]}`,
    );
}
