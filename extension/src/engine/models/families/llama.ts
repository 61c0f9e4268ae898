// Llama (SmolLM and SmolLM2, TinyLlama, Llama 2 and 3).
import { rotaryDecoder, sameWindow } from './rotaryDecoder.js';

const NO_WINDOW = 'llama models have no window; mistral models do';

export const llama = rotaryDecoder({
  modelType: 'llama',
  causalLm: 'LlamaForCausalLM',
  implemented: ['attention_bias', 'mlp_bias'],
  // Older releases split products into pretraining_tp parts, with the same result.
  withoutEffect: ['pretraining_tp', 'is_llama_config'],
  refused: {
    sliding_window: { allowed: [], reason: NO_WINDOW },
    use_sliding_window: { allowed: [false], reason: NO_WINDOW },
    layer_types: { allowed: types => allAre(types, 'full_attention'), reason: NO_WINDOW },
  },
  defaults: {},
  qkvBias: config => config.attention_bias ?? false,
  outputBias: config => config.attention_bias ?? false,
  mlpBias: config => config.mlp_bias ?? false,
  qkNorm: false,
  windows: config => sameWindow(config, null),
  ia3Attention: 'k_proj',
});

function allAre(types: unknown, type: string): boolean {
  return Array.isArray(types) && types.every(other => other === type);
}
