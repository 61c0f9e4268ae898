// Mistral (Mistral 7B v0.1 looks back 4,096 tokens, later ones without a window).
import { rotaryDecoder } from './rotaryDecoder.js';

export const mistral = rotaryDecoder({
  modelType: 'mistral',
  qkvBias: () => false,
  outputBias: () => false,
  qkNorm: false,
  defaultHeadDim: config => config.hidden_size / config.num_attention_heads,
  slidingWindow: config => config.sliding_window ?? null,
  ia3Attention: 'k_proj',
});
