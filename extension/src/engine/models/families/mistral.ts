// Mistral (Mistral 7B v0.1 has a sliding window of 4,096 tokens, later models have none).
import { NO_BIAS, rotaryDecoder, sameWindow } from './rotaryDecoder.js';

export const mistral = rotaryDecoder({
  modelType: 'mistral',
  causalLm: 'MistralForCausalLM',
  implemented: ['sliding_window'],
  withoutEffect: [],
  refused: {
    attention_bias: NO_BIAS,
    mlp_bias: NO_BIAS,
    layer_types: {
      allowed: repeatsTheWindow,
      reason: 'all layers of a mistral model have its sliding_window, or none',
    },
  },
  defaults: { num_key_value_heads: 8, max_position_embeddings: 131_072, sliding_window: 4096 },
  qkvBias: () => false,
  outputBias: () => false,
  mlpBias: () => false,
  qkNorm: false,
  windows: config => sameWindow(config, config.sliding_window ?? null),
  ia3Attention: 'k_proj',
});

function repeatsTheWindow(types: unknown, { sliding_window: window }: Record<string, unknown>): boolean {
  const expected = window === null ? 'full_attention' : 'sliding_attention';
  return Array.isArray(types) && types.every(type => type === expected);
}
