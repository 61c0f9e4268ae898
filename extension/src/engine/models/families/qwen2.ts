// Qwen2 (Qwen2 and Qwen2.5: biases only on q, k and v).
import { QWEN_DEFAULTS, QWEN_WINDOW_KEYS, qwenWindows } from './qwenWindows.js';
import { NO_BIAS, rotaryDecoder } from './rotaryDecoder.js';

export const qwen2 = rotaryDecoder({
  modelType: 'qwen2',
  causalLm: 'Qwen2ForCausalLM',
  implemented: QWEN_WINDOW_KEYS,
  // The biases are always there.
  withoutEffect: ['attention_bias'],
  refused: { mlp_bias: NO_BIAS },
  defaults: QWEN_DEFAULTS,
  qkvBias: () => true,
  outputBias: () => false,
  mlpBias: () => false,
  qkNorm: false,
  windows: qwenWindows,
  ia3Attention: 'q_proj',
});
