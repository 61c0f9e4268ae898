// A model's folder in the form that mlx-lm reads: it takes keys of config.json from Transformers 4, ignores those that it doesn't know,
// and has one computation per class, so what a model has beyond that is refused. Called by targets/mlx.ts. Facts from mlx-lm's `models/`
// (0.32.2); verified for every model of test/fixtures/configs by test/parity/mlx_loads_merged.py.
import { InputError } from '../../core/inputError.js';
import type { ModelFiles } from '../files/tensorSource.js';
import { canonicalActivation } from '../models/activations.js';
import type { Architecture, LayerSpec } from '../models/architecture.js';
import { ropeTheta, scalingOf } from './ggufMetadata.js';

/** What a class of mlx-lm computes. */
interface MlxClass {
  activation: 'silu' | 'gelu_new';
  /** Biases of q, k and v, of the attention's output, of the feed-forward network; 'attention': as those of q, k and v. */
  qkvBias: readonly boolean[];
  outputBias: 'attention' | boolean;
  mlpBias: readonly boolean[];
  /** Whether the size of a head is a key of its own. */
  headDim: boolean;
  /** Whether it has a head of its own, beside the embedding. */
  head: boolean;
  /** Names of tensors begin after it. */
  prefix: string;
}

const LLAMA: MlxClass = {
  activation: 'silu',
  qkvBias: [false, true],
  outputBias: 'attention',
  mlpBias: [false, true],
  headDim: true,
  head: true,
  prefix: '',
};

/** By `model_type`, which GPT-2's names of tensors follow too. */
const CLASSES: Readonly<Record<string, MlxClass>> = {
  llama: LLAMA,
  mistral: LLAMA,
  qwen2: { ...LLAMA, qkvBias: [true], outputBias: false, mlpBias: [false], headDim: false },
  qwen3: { ...LLAMA, qkvBias: [false], outputBias: false, mlpBias: [false] },
  gpt2: {
    activation: 'gelu_new',
    qkvBias: [true],
    outputBias: true,
    mlpBias: [true],
    headDim: false,
    head: false,
    prefix: 'transformer.',
  },
};

/** Keys that are written anew, or that say what is refused. */
const REPLACED = ['rope_parameters', 'rope_scaling', 'rope_theta', 'layer_types', 'max_window_layers'];

export interface MlxModel {
  files: ModelFiles;
  tensorName(name: string): string;
}

/** @throws InputError that names what mlx-lm would compute differently */
export function mlxModel(files: ModelFiles, architecture: Architecture): MlxModel {
  const refuse = (what: string, key?: string) => {
    throw new InputError(`mlx-lm computes something else for this model: ${what}`, {
      file: files.path,
      key,
      hint: 'Export a Hugging Face folder or GGUF instead.',
    });
  };
  const found = CLASSES[architecture.modelType];
  if (!found) throw new InputError(`mlx-lm’s class for ${architecture.modelType} isn’t known`, { file: files.path });
  if (!found.head && !architecture.tieWordEmbeddings) refuse('its head is not its embedding');
  for (const layer of architecture.layers) {
    const different = difference(layer, found, architecture);
    if (different) refuse(different);
  }
  const scaling = scalingFor(files.config, architecture, refuse);
  const kept = Object.entries(files.config).filter(([key]) => !REPLACED.includes(key));
  const { attention, mlp, attentionNorm } = architecture.layers[0]!;
  const explicit = attention.rotary
    ? {
        rope_theta: ropeTheta(files.config),
        rope_scaling: scaling,
        sliding_window: null,
        use_sliding_window: false,
        num_key_value_heads: attention.keyValueHeads,
        head_dim: attention.headDim,
        max_position_embeddings: architecture.maxPositions,
        rms_norm_eps: attentionNorm.epsilon,
        attention_bias: attention.output.hasBias,
        mlp_bias: mlp.down.hasBias,
      }
    : {
        n_ctx: architecture.maxPositions,
        n_positions: architecture.maxPositions,
        n_embd: architecture.hiddenSize,
        n_layer: architecture.layers.length,
        n_head: attention.heads,
        vocab_size: architecture.vocabSize,
        layer_norm_epsilon: attentionNorm.epsilon,
      };
  const config = {
    ...Object.fromEntries(kept),
    ...explicit,
    tie_word_embeddings: architecture.tieWordEmbeddings,
  };
  const { prefix } = found;
  return {
    files: { ...files, config },
    tensorName: name => (name.startsWith(prefix) ? name.slice(prefix.length) : name),
  };
}

/** What of a layer the class computes differently; null if it is the same. */
function difference(
  { attention, mlp }: LayerSpec,
  { activation, qkvBias, outputBias, mlpBias, headDim }: MlxClass,
  { hiddenSize, maxPositions }: Architecture,
): string | null {
  const { window, heads, headDim: size, scale, projections, output } = attention;
  const hasBias = projections[0].hasBias;
  if (window !== null && window < maxPositions) return `a layer attends to ${window} tokens (sliding window)`;
  if (canonicalActivation(mlp.activation) !== canonicalActivation(activation))
    return `its activation is ${mlp.activation}`;
  if (Math.abs(scale * Math.sqrt(size) - 1) > 1e-6) return 'its attention scores are scaled';
  if (!headDim && heads * size !== hiddenSize)
    return `${heads} heads of ${size} are not its hidden size, ${hiddenSize}`;
  if (!qkvBias.includes(hasBias) || output.hasBias !== (outputBias === 'attention' ? hasBias : outputBias))
    return 'the biases of its attention';
  if (!mlpBias.includes(mlp.down.hasBias)) return 'the biases of its feed-forward network';
  if (mlp.gate === null && mlp.width !== 4 * hiddenSize) return `its feed-forward network is ${mlp.width} wide`;
  return null;
}

/** Keys of YaRN that mlx-lm ignores, or reads differently. */
const YARN_REFUSED = ['attention_factor', 'mscale', 'mscale_all_dim', 'truncate'];

/** Transformers 4's `rope_scaling`; null without one. */
function scalingFor(
  config: Readonly<Record<string, unknown>>,
  { maxPositions }: Architecture,
  refuse: (what: string, key?: string) => void,
): Record<string, unknown> | null {
  const { rope_theta: _theta, type, rope_type, ...values } = scalingOf(config) ?? {};
  const name = rope_type ?? type ?? 'default';
  if (name === 'default') return null;
  if (!['linear', 'llama3', 'yarn'].includes(name)) refuse(`rotary scaling ${name}`, 'rope_scaling');
  if (name === 'yarn')
    for (const key of YARN_REFUSED)
      if ((values as Record<string, unknown>)[key] !== undefined && (values as Record<string, unknown>)[key] !== null)
        refuse(`YaRN with ${key}`, `rope_scaling.${key}`);
  const original = Number(
    config['original_max_position_embeddings'] ?? values.original_max_position_embeddings ?? maxPositions,
  );
  // Transformers takes the defaults of YaRN's betas for 0 as well, and derives a factor of null.
  const said = Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== 0);
  return {
    factor: maxPositions / original,
    ...Object.fromEntries(said),
    rope_type: name,
    original_max_position_embeddings: original,
  };
}
