// Qwen3 (Qwen3: RMSNorm on each query and key head, head_dim independent of the width).
import { qwenWindows } from './qwenWindows.js';
import { rotaryDecoder } from './rotaryDecoder.js';

export const qwen3 = rotaryDecoder({
  modelType: 'qwen3',
  qkvBias: config => config.attention_bias ?? false,
  outputBias: config => config.attention_bias ?? false,
  qkNorm: true,
  defaultHeadDim: () => 128,
  windows: qwenWindows,
  ia3Attention: 'q_proj',
});
