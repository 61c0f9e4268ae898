// Qwen2 (Qwen2 and Qwen2.5: biases only on q, k and v).
import { qwenWindows } from './qwenWindows.js';
import { rotaryDecoder } from './rotaryDecoder.js';

export const qwen2 = rotaryDecoder({
  modelType: 'qwen2',
  qkvBias: () => true,
  outputBias: () => false,
  qkNorm: false,
  defaultHeadDim: config => config.hidden_size / config.num_attention_heads,
  windows: qwenWindows,
  ia3Attention: 'q_proj',
});
