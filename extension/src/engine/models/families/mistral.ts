// Mistral (Mistral 7B v0.1 has a sliding window of 4,096 tokens, later models have none).
import { rotaryDecoder, sameWindow } from './rotaryDecoder.js';

export const mistral = rotaryDecoder({
  modelType: 'mistral',
  qkvBias: () => false,
  outputBias: () => false,
  qkNorm: false,
  defaultHeadDim: config => config.hidden_size / config.num_attention_heads,
  // In Transformers a missing key means 4,096, and null means no window.
  windows: config => sameWindow(config, config.sliding_window === undefined ? 4096 : config.sliding_window),
  ia3Attention: 'k_proj',
});
