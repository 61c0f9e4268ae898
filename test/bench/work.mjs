// The rows of the bench: what to train, what to measure, and the targets.

export const lora = { peft_type: 'LORA', r: 8, lora_alpha: 16, target_modules: ['q_proj', 'v_proj'] };
/** On both sides, the first steps compile graphs and warm up caches. */
const WARM_UP = 2;
const warm = steps => steps.slice(WARM_UP);
const lastEpoch = steps => steps.filter(({ epoch }) => epoch === steps.at(-1).epoch);
const base = {
  packing: false,
  shuffle: false,
  epochs: 1,
  learningRate: 1e-4,
  compile: 'auto',
  timed: warm,
  unit: 'tokens',
};

/**
 * @typedef {object} Work
 * @property {string} id
 * @property {string} title
 * @property {'smollm2-135m' | 'embedded'} model
 * @property {'instructions' | { count: number, length: number }} rows
 * @property {'tokens' | 'rows'} unit of the speed
 * @property {(steps: any[]) => any[]} timed the steps to measure
 * @property {'bfloat16'} [peerAutocast] type of products in PyTorch's autocast
 * @property {number} [faster] target: speed relative to the peer's
 * @property {number} [smaller] target: peak memory relative to the peer's
 * @property {number} [fasterThanEager] target: speed relative to the same step run eagerly
 */

/** @type {Work[]} */
export const works = [
  {
    ...base,
    id: 'lora-4x256',
    title: 'SmolLM2-135M, LoRA r=8 q,v, 4 x 256, every token a label',
    model: 'smollm2-135m',
    rows: { count: 4 * 7, length: 256 },
    method: lora,
    batchSize: 4,
    maxLength: 256,
    faster: 1.2,
    smaller: 0.6,
  },
  {
    ...base,
    id: 'lora-4x256-bfloat16',
    title: 'the same, products in bfloat16 (PyTorch: autocast)',
    model: 'smollm2-135m',
    rows: { count: 4 * 7, length: 256 },
    method: lora,
    engine: { precision: 'bfloat16' },
    peerAutocast: 'bfloat16',
    batchSize: 4,
    maxLength: 256,
  },
  {
    ...base,
    id: 'lora-1x1024',
    title: 'LoRA again in float32, 1 x 1024',
    model: 'smollm2-135m',
    rows: { count: 7, length: 1024 },
    method: lora,
    batchSize: 1,
    maxLength: 1024,
    faster: 1.2,
    smaller: 0.6,
  },
  {
    ...base,
    id: 'ragged',
    title: 'rows as long as real instructions, loss on completions, defaults of both',
    model: 'smollm2-135m',
    rows: 'instructions',
    method: lora,
    // Defaults: rows in random order; ours packs 4 sequences of up to 512 tokens, Transformers pads 8 rows to the longest of them.
    shuffle: true,
    packing: true,
    batchSize: 4,
    maxLength: 512,
    peerBatchSize: 8,
    epochs: 2,
    // It compiles nothing, so no epoch must be excluded.
    peerEpochs: 1,
    timed: lastEpoch,
    unit: 'rows',
    faster: 2,
  },
  {
    ...base,
    id: 'selective',
    title: 'SELECTIVE last 2 layers of 30, 4 x 256, second epoch',
    model: 'smollm2-135m',
    rows: { count: 4 * 4, length: 256 },
    method: { peft_type: 'SELECTIVE', select: 'last_layers', num_layers: 2 },
    batchSize: 4,
    maxLength: 256,
    epochs: 2,
    timed: lastEpoch,
    faster: 4,
  },
  {
    ...base,
    id: 'full-embedded',
    title: 'full fine-tuning of the embedded model, 8 x 256',
    model: 'embedded',
    rows: { count: 8 * 14, length: 256 },
    method: { peft_type: 'FULL' },
    batchSize: 8,
    maxLength: 256,
    faster: 1.5,
    fasterThanEager: 3,
  },
];

/** The decoding row: one sequence, greedy, float32, compared with Transformers and llama.cpp. */
export const decoding = {
  id: 'decode',
  title: 'decoding SmolLM2-135M, one sequence',
  model: 'smollm2-135m',
  tokens: 200,
  fasterThanTransformers: 1.5,
  fasterThanLlama: 0.8,
};

const load = (sequences, adapters, wanted = {}) => ({ id: `${sequences} ${adapters}`, sequences, adapters, ...wanted });

/** The serving row: adapters swapped on one base, and several sequences at once, compared with PEFT and llama.cpp. */
export const serving = {
  id: 'serving',
  title: 'SmolLM2-135M',
  model: 'smollm2-135m',
  tokens: 64,
  addWithinMs: 300,
  swapWithinMs: 50,
  methods: {
    LORA: lora,
    IA3: { peft_type: 'IA3' },
    PROMPT_TUNING: { peft_type: 'PROMPT_TUNING', num_virtual_tokens: 8 },
    PREFIX_TUNING: { peft_type: 'PREFIX_TUNING', num_virtual_tokens: 8 },
    P_TUNING: { peft_type: 'P_TUNING', num_virtual_tokens: 8 },
    SELECTIVE: { peft_type: 'SELECTIVE', select: 'last_layers', num_layers: 1 },
    BOTTLENECK_ADAPTER: { peft_type: 'BOTTLENECK_ADAPTER' },
  },
  /** Sequences at once, with no adapter, one for all, or one each; ratios that are targets. */
  loads: [
    load(1, 'none'),
    ...[1, 4, 8, 16].map(sequences => load(sequences, 'same')),
    load(4, 'different'),
    load(8, 'different', { fasterThanPeft: 2 }),
    load(16, 'different'),
  ],
};

const llama = { model_type: 'llama', rms_norm_eps: 1e-5, eos_token_id: 2 };
const smolLm2 = {
  ...llama,
  hidden_size: 2048,
  intermediate_size: 8192,
  num_hidden_layers: 24,
  num_attention_heads: 32,
  num_key_value_heads: 32,
  head_dim: 64,
  vocab_size: 49152,
  max_position_embeddings: 8192,
  rope_theta: 130000,
  tie_word_embeddings: true,
};
const llama2 = {
  ...llama,
  hidden_size: 4096,
  intermediate_size: 11008,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  num_key_value_heads: 32,
  head_dim: 128,
  vocab_size: 32000,
  max_position_embeddings: 4096,
  rope_theta: 10000,
  tie_word_embeddings: false,
};

/** Whole processes of `tunewright merge`, its comparison included, that write Q4_K_M. */
export const exportWorks = [
  {
    id: 'export-135m',
    title: 'SmolLM2-135M’s shape with LoRA r=8, from a folder in float32',
    model: 'smollm2-135m',
    withLora: true,
    seconds: 15,
    within: 0.6e9,
  },
  {
    id: 'export-1.7b',
    title: 'SmolLM2-1.7B’s shape, from a GGUF in Q8_0',
    base: '1.7b-int8',
    withLora: false,
    seconds: null,
    within: 2e9,
  },
];

/** LoRA r=8 q,v, one step with `gradient_checkpointing`, on bases that only fit into memory quantized; without a peer. */
export const largeBases = [
  {
    id: '1.7b-int8',
    title: 'SmolLM2-1.7B’s shape, 1 x 512, int8 base',
    config: smolLm2,
    ggmlType: 'Q8_0',
    baseWeights: 'int8',
    length: 512,
    within: 4e9,
  },
  {
    id: '1.7b-int4',
    title: 'SmolLM2-1.7B’s shape, 1 x 512, int4 base',
    config: smolLm2,
    ggmlType: 'Q4_0',
    baseWeights: 'int4',
    length: 512,
    within: 3e9,
  },
  {
    id: '7b-int4',
    title: 'Llama-2-7B’s shape, 1 x 256, int4 base',
    config: llama2,
    ggmlType: 'Q4_0',
    baseWeights: 'int4',
    length: 256,
    within: 8e9,
  },
];
