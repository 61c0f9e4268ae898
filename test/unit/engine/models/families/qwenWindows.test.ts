// Which layers of Qwen2 and Qwen3 have a sliding window. The expected values are those of Qwen2Config and Qwen3Config
// in Transformers 5.24 for the same keys (`config.layer_types`, `config.sliding_window`).
import { describe, expect, test } from 'vitest';
import { inputErrorOf } from '../../../../support/inputErrors.js';
import { tinyArchitecture } from '../../../../support/tinyModels.js';

const S = 'sliding_attention';
const F = 'full_attention';

function windowsOf(family: string, changes: Record<string, unknown>): (number | null)[] {
  return tinyArchitecture(family, { num_hidden_layers: 4, ...changes }).layers.map(({ attention }) => attention.window);
}

describe.each(['qwen2', 'qwen3'])('%s', family => {
  test.each<[Record<string, unknown>, (number | null)[]]>([
    [{}, [null, null, null, null]],
    [{ sliding_window: 8, max_window_layers: 0 }, [null, null, null, null]],
    [{ use_sliding_window: false, sliding_window: 8, max_window_layers: 0 }, [null, null, null, null]],
    [{ use_sliding_window: true, sliding_window: 8, max_window_layers: 0 }, [8, 8, 8, 8]],
    [{ use_sliding_window: true, sliding_window: 8, max_window_layers: 3 }, [null, null, null, 8]],
    [{ use_sliding_window: true, sliding_window: 8, max_window_layers: 4 }, [null, null, null, null]],
    // Defaults: 28 layers without a window, then 4,096 tokens.
    [{ use_sliding_window: true, sliding_window: 8 }, [null, null, null, null]],
    [{ use_sliding_window: true, max_window_layers: 2 }, [null, null, 4096, 4096]],
    [{ use_sliding_window: true, sliding_window: null, max_window_layers: 0 }, [null, null, null, null]],
    // layer_types takes precedence over max_window_layers.
    [
      { use_sliding_window: true, sliding_window: 8, max_window_layers: 4, layer_types: [S, F, S, F] },
      [8, null, 8, null],
    ],
    [
      { use_sliding_window: true, sliding_window: 8, max_window_layers: 0, layer_types: [F, F, F, F] },
      [null, null, null, null],
    ],
    [{ layer_types: [F, F, F, F] }, [null, null, null, null]],
    [{ use_sliding_window: true, sliding_window: 8, max_window_layers: 1, layer_types: null }, [null, 8, 8, 8]],
  ])('%j', (changes, expected) => {
    expect(windowsOf(family, changes)).toEqual(expected);
  });

  test.each<[Record<string, unknown>, RegExp]>([
    [{ layer_types: [F, F, 'chunked_attention', F] }, /layer_types.*"chunked_attention"/],
    [{ layer_types: [F, F, F] }, /layer_types has 3 entries, but num_hidden_layers is 4/],
    [{ layer_types: [F, F, F, S], sliding_window: 8 }, /layer_types.*"sliding_attention".*no window/],
    [{ layer_types: F }, /layer_types/],
    [{ use_sliding_window: true, sliding_window: 0 }, /sliding_window/],
    [{ use_sliding_window: true, max_window_layers: -1 }, /max_window_layers/],
  ])('refuses %j', async (changes, message) => {
    const error = await inputErrorOf(() => windowsOf(family, changes));
    expect(error.describe()).toMatch(message);
    expect(error.where).toMatch(/^config\.json(: (layer_types|sliding_window|max_window_layers))?$/);
  });
});

test('all layers of Mistral have the same window: 4,096 tokens by default, none if it is null', () => {
  expect(windowsOf('mistral', {})).toEqual([4096, 4096, 4096, 4096]);
  expect(windowsOf('mistral', { sliding_window: 8 })).toEqual([8, 8, 8, 8]);
  expect(windowsOf('mistral', { sliding_window: null })).toEqual([null, null, null, null]);
});
