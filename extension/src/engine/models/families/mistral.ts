// Mistral (Mistral 7B v0.1 looks back 4,096 tokens, later ones without a window).
import { rotaryDecoder, sameWindow } from './rotaryDecoder.js';

export const mistral = rotaryDecoder({
  modelType: 'mistral',
  qkvBias: () => false,
  outputBias: () => false,
  qkNorm: false,
  defaultHeadDim: config => config.hidden_size / config.num_attention_heads,
  // Transformers takes a missing key for 4,096, and null for none.
  windows: config => sameWindow(config, config.sliding_window === undefined ? 4096 : config.sliding_window),
  ia3Attention: 'k_proj',
});
