// What the rest of the code needs of a tokenizer: text to ids and back, the special ids, the chat template.
// Implemented over @huggingface/tokenizers in this folder; ids equal those of Python's tokenizers.

/** tokenizer.json and tokenizer_config.json as parsed JSON, from a model folder or rebuilt from GGUF metadata. */
export interface TokenizerFiles {
  tokenizer: Record<string, unknown>;
  /** `chat_template` of its own file, where a folder has one, is already put in here. */
  config: Record<string, unknown>;
}

export interface TextTokenizer {
  /** Highest id + 1, added tokens included. */
  readonly vocabSize: number;
  readonly bosTokenId: number | null;
  readonly eosTokenId: number | null;
  readonly padTokenId: number | null;
  /** Token by its name in tokenizer_config.json (`bos_token`, `eos_token`, `unk_token`, ...), those that are set. */
  readonly specialTokens: Readonly<Record<string, string>>;
  /** Jinja source, or null where the model has none. */
  readonly chatTemplate: string | null;
  encode(text: string, options?: { addSpecialTokens?: boolean }): number[];
  decode(ids: ArrayLike<number>, options?: { skipSpecialTokens?: boolean }): string;
  tokenToId(token: string): number | undefined;
  idToToken(id: number): string | undefined;
}
