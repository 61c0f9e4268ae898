// Llama (SmolLM and SmolLM2, TinyLlama, Llama 2 and 3).
import { rotaryDecoder, sameWindow } from './rotaryDecoder.js';

export const llama = rotaryDecoder({
  modelType: 'llama',
  qkvBias: config => config.attention_bias ?? false,
  outputBias: config => config.attention_bias ?? false,
  qkNorm: false,
  defaultHeadDim: config => config.hidden_size / config.num_attention_heads,
  windows: config => sameWindow(config, null),
  ia3Attention: 'k_proj',
});
