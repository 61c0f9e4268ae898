// What `npm run test:exports` exports: bases, methods and targets, and which program checks each of them.

/** By name; null: the base alone. */
export const methods = {
  none: null,
  LORA: { peft_type: 'LORA', r: 4, target_modules: 'all-linear' },
  DoRA: { peft_type: 'LORA', r: 4, target_modules: 'all-linear', use_dora: true },
  IA3: { peft_type: 'IA3' },
  LOHA: { peft_type: 'LOHA', r: 4 },
  VERA: { peft_type: 'VERA', r: 16 },
  SELECTIVE: { peft_type: 'SELECTIVE', select: 'last_layers', num_layers: 1 },
  FULL: { peft_type: 'FULL' },
};

/** Methods that can't be expressed as weights. */
export const refusedMethods = {
  PROMPT_TUNING: { peft_type: 'PROMPT_TUNING', num_virtual_tokens: 4 },
  PREFIX_TUNING: { peft_type: 'PREFIX_TUNING', num_virtual_tokens: 4 },
  P_TUNING: { peft_type: 'P_TUNING', num_virtual_tokens: 4 },
  BOTTLENECK_ADAPTER: { peft_type: 'BOTTLENECK_ADAPTER', bottleneck_size: 4 },
};

/** Those that PEFT doesn't have, or that aren't adapters. */
export const notOfPeft = ['none', 'SELECTIVE', 'FULL'];

const gguf = type => ({ target: 'gguf', type });
const folder = dtype => ({ target: 'folder', type: dtype });
const mlx = dtype => ({ target: 'mlx', type: dtype });
const allGguf = ['f32', 'f16', 'bf16', 'q8_0', 'q6_k', 'q5_k_m', 'q4_k_m', 'q5_1', 'q5_0', 'q4_1', 'q4_0'].map(gguf);
const models = [...allGguf, folder('float32'), folder('float16'), folder('bfloat16'), mlx('float16'), mlx('bfloat16')];
const someModels = [gguf('f32'), gguf('q8_0'), gguf('q4_k_m'), folder('float32'), mlx('bfloat16')];
const own = [gguf('f32'), gguf('own'), gguf('q4_k_m'), folder('bfloat16')];
const adapters = [
  { target: 'adapter_gguf', type: null },
  { target: 'adapter_mlx', type: null },
];

/** @typedef {{ target: string, type: string | null }} Target */

/** Exports of the methods with these names. */
const each = (names, targets) => names.map(method => ({ method, targets }));
const others = Object.keys(methods).filter(name => name !== 'none' && name !== 'LORA');

const families = {
  llama: {},
  mistral: {},
  qwen2: {},
  qwen3: { head_dim: 64 },
  gpt2: { n_embd: 256, n_inner: 1024, n_layer: 2, n_head: 4, n_positions: 256 },
};
const sizes = {
  ...{ hidden_size: 256, intermediate_size: 512, num_hidden_layers: 2, num_attention_heads: 4 },
  ...{ num_key_value_heads: 2, max_position_embeddings: 256 },
};
/** Random weights large enough for answers to differ; tokens are those of the embedded model. */
export const familyConfig = name => ({
  model_type: name,
  vocab_size: 2048,
  ...(name === 'gpt2' ? {} : sizes),
  ...families[name],
  ...{
    initializer_range: 0.1,
    bos_token_id: null,
    eos_token_id: 2,
    pad_token_id: 0,
    tie_word_embeddings: name !== 'llama',
  },
  // llama.cpp has no key for it.
  ...(name === 'mistral' ? { sliding_window: null } : {}),
});

export const bases = [
  {
    id: 'embedded',
    title: 'folder',
    exports: [
      ...each(['none'], models),
      ...each(['LORA'], [...models, ...adapters]),
      ...each(others, someModels),
      ...each(['LOHA', 'VERA'], adapters),
    ],
    refuses: Object.keys(refusedMethods),
  },
  ...Object.keys(families).map(family => ({
    id: family,
    title: `folder of ${family}`,
    family,
    exports: [...each(['none', 'FULL'], someModels), ...each(['LORA'], [...someModels, ...adapters])],
  })),
  ...['f16', 'q8_0', 'q6_k', 'q4_k_m', 'q5_1', 'q5_0', 'q4_1', 'q4_0'].map(type => ({
    id: `embedded-${type}`,
    title: 'GGUF',
    type,
    exports: [...each(['LORA'], [...own, ...adapters]), ...(type === 'q8_0' ? each(['none', ...others], own) : [])],
  })),
  {
    id: 'smollm2',
    title: 'GGUF of SmolLM2-135M',
    // Larger ones destroy it, and rounding does the rest.
    rate: 1e-3,
    exports: [...each(['none'], own), ...each(['LORA'], [...own, gguf('q8_0'), ...adapters]), ...each(others, own)],
  },
];

/** Less than a minute on the embedded model, without other programs. */
export const smallBases = [
  {
    id: 'embedded',
    title: 'folder',
    exports: each(['LORA'], [gguf('q8_0'), folder('float32'), ...adapters]),
    refuses: ['PREFIX_TUNING'],
  },
];
