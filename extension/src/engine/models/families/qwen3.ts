// Qwen3 (Qwen3: RMSNorm on each query and key head, head_dim independent of the width).
import { QWEN_DEFAULTS, QWEN_WINDOW_KEYS, qwenWindows } from './qwenWindows.js';
import { NO_BIAS, rotaryDecoder } from './rotaryDecoder.js';

export const qwen3 = rotaryDecoder({
  modelType: 'qwen3',
  causalLm: 'Qwen3ForCausalLM',
  implemented: ['attention_bias', ...QWEN_WINDOW_KEYS],
  withoutEffect: [],
  refused: { mlp_bias: NO_BIAS },
  defaults: { ...QWEN_DEFAULTS, head_dim: 128 },
  qkvBias: config => config.attention_bias ?? false,
  outputBias: config => config.attention_bias ?? false,
  mlpBias: () => false,
  qkNorm: true,
  windows: qwenWindows,
  ia3Attention: 'q_proj',
});
