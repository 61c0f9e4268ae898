// Which layers of Qwen2 and Qwen3 have a sliding window, as Transformers 5.24 reads their config.json: those that
// layer_types lists, else, with use_sliding_window, those from max_window_layers on. Called by qwen2.ts and qwen3.ts.
import { InputError } from '../../../core/inputError.js';
import { sameWindow, type RotaryConfig } from './rotaryDecoder.js';

export const QWEN_WINDOW_KEYS = ['use_sliding_window', 'sliding_window', 'max_window_layers', 'layer_types'];

/** What a missing key means to Qwen2 and Qwen3. */
export const QWEN_DEFAULTS = { num_key_value_heads: 32, max_position_embeddings: 32_768, sliding_window: 4096 };

/** @throws InputError on unsupported or wrongly many layer types, and on a sliding layer without a window */
export function qwenWindows(config: RotaryConfig, file: string): (number | null)[] {
  const { layer_types: types, num_hidden_layers: count } = config;
  const window = config.use_sliding_window ? (config.sliding_window ?? null) : null;
  if (!types) return sameWindow(config, window).map((own, layer) => (layer < config.max_window_layers ? null : own));
  if (types.length !== count)
    throw new InputError(`layer_types has ${types.length} entries, but num_hidden_layers is ${count}`, {
      ...{ file, key: 'layer_types' },
    });
  return types.map(type => {
    // Some older files say "attention".
    if (type === 'full_attention' || type === 'attention') return null;
    if (type !== 'sliding_attention')
      throw new InputError(`layer_types: "${type}" is not supported`, {
        ...{ file, key: 'layer_types' },
        hint: 'Supported: full_attention, sliding_attention.',
      });
    if (window === null)
      throw new InputError('layer_types has "sliding_attention", but there is no window', {
        ...{ file, key: 'layer_types' },
        hint: 'Set use_sliding_window to true and sliding_window to a number of tokens.',
      });
    return window;
  });
}
