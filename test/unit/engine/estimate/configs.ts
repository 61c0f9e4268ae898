// Model configurations, without weights, that the estimate tests share.
export const TINY_CONFIGS: readonly Record<string, unknown>[] = [
  ...['llama', 'mistral', 'qwen2', 'qwen3'].map(model_type => ({
    model_type,
    hidden_size: 32,
    intermediate_size: 64,
    num_hidden_layers: 3,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    head_dim: 8,
    vocab_size: 96,
    max_position_embeddings: 32,
    tie_word_embeddings: model_type !== 'mistral',
  })),
  { model_type: 'gpt2', n_embd: 32, n_layer: 3, n_head: 4, vocab_size: 96, n_positions: 64 },
];

export const SMOLLM2_CONFIG = {
  model_type: 'llama',
  hidden_size: 576,
  intermediate_size: 1536,
  num_hidden_layers: 30,
  num_attention_heads: 9,
  num_key_value_heads: 3,
  vocab_size: 49152,
  max_position_embeddings: 8192,
  tie_word_embeddings: true,
};
