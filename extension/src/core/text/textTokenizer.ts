// The tokenizer interface: text to ids and back, special tokens, the chat template. Implemented in huggingFaceTokenizer.ts; ids
// equal those of Python's tokenizers.

/** tokenizer.json and tokenizer_config.json as parsed JSON, from a model folder or rebuilt from GGUF metadata. */
export interface TokenizerFiles {
  tokenizer: Record<string, unknown>;
  /** Includes what the other files of the folder say (tokenizerFolder.ts). */
  config: Record<string, unknown>;
  /** Where the chat template is, for messages. */
  templatePlace?: TemplatePlace;
}

/** A file, and the key in it if the file is something else, too. */
export interface TemplatePlace {
  file: string;
  key?: string;
}

export interface TextTokenizer {
  /** Highest id + 1, added tokens included. */
  readonly vocabSize: number;
  readonly bosTokenId: number | null;
  readonly eosTokenId: number | null;
  readonly padTokenId: number | null;
  /** Name in tokenizer_config.json (`bos_token`, `eos_token`, `unk_token`, ...) -> token, for those that are set. */
  readonly specialTokens: Readonly<Record<string, string>>;
  /** Jinja source; null if the model has none. */
  readonly chatTemplate: string | null;
  /** A template for chats with tools, if the model has one of its own for them. */
  readonly toolTemplate: string | null;
  /** Where both are; null: not known. */
  readonly templatePlace: TemplatePlace | null;
  encode(text: string, options?: { addSpecialTokens?: boolean }): number[];
  decode(ids: ArrayLike<number>, options?: { skipSpecialTokens?: boolean }): string;
  tokenToId(token: string): number | undefined;
  idToToken(id: number): string | undefined;
}
