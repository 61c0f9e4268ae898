// Decoding with a key/value cache: greedy, or sampled from a seed. One sequence at a time.
import { setImmediate } from 'node:timers/promises';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../../core/inputError.js';
import { UntraceableError } from '../capture/opTable.js';
import type { CausalLm, ForwardOptions } from '../models/causalLm.js';
import { usablePositions } from '../models/rotaryTables.js';
import type { Adapter } from '../peft/adapter.js';
import { CapturedReader, DecodingGraphs } from './capturedReader.js';
import { drawToken, type SamplingOptions } from './sampling.js';
import { EagerReader, type Prediction } from './tokenReader.js';

export interface GenerateOptions extends SamplingOptions {
  maxNewTokens: number;
  /** Decoding ends at one of these. */
  stopTokenIds: readonly number[];
  /** Called with each new token; return false to stop. */
  onToken?: (id: number) => boolean | void;
}

export interface DecoderOptions {
  model: CausalLm;
  /** It may be trained between answers of the same decoder. */
  adapter: Adapter | null;
  /** Whether to read tokens with captured graphs, once that pays off. */
  compile: boolean;
  /** Called once if an op can't be captured; decoding then stays eager. If absent, that is an error. */
  onWarning?: (code: string, message: string) => void;
  /** Tokens read op by op before a graph is compiled, which takes as long as a graph saves on this many. */
  eagerTokens?: number;
}

const EAGER_TOKENS = 48;

/** Generates text with one model and adapter; keeps its graphs from answer to answer. Owns nothing else. */
export class Decoder {
  private readonly graphs: DecodingGraphs;
  private readonly forward: ForwardOptions;
  private compile: boolean;
  private eagerTokens: number;

  constructor(private readonly options: DecoderOptions) {
    const { model, adapter, compile, eagerTokens = EAGER_TOKENS } = options;
    this.graphs = new DecodingGraphs(model, adapter);
    this.forward = adapter?.forwardOptions ?? {};
    this.compile = compile;
    this.eagerTokens = eagerTokens;
  }

  /**
   * Continues a prompt.
   * @returns the new token ids, without the stop token
   * @throws InputError if the prompt leaves no usable position for an answer
   */
  async generate(promptIds: readonly number[], options: GenerateOptions): Promise<number[]> {
    const { architecture } = this.options.model;
    const { vocabSize } = architecture;
    const positions = usablePositions(architecture);
    const { virtualTokens, keyValuePrefix } = this.forward.hooks ?? {};
    const virtual = Array.from({ length: virtualTokens?.count ?? 0 }, (_, i) => vocabSize + i);
    const prompt = [...virtual, ...promptIds];
    const length = prompt.length + (keyValuePrefix?.count ?? 0);
    if (length >= positions)
      throw new InputError(`the prompt has ${length} tokens, but the model reads at most ${positions}`, {
        key: 'prompt',
        hint: 'Shorten the prompt.',
      });
    const most = Math.min(options.maxNewTokens, positions - length);
    const generated: number[] = [];
    if (most === 0) return generated;
    let reader: EagerReader | CapturedReader = new EagerReader(this.options.model, this.forward);
    try {
      let prediction = reader.read(prompt);
      for (;;) {
        const id = await choose(prediction, options);
        if (options.stopTokenIds.includes(id)) break;
        generated.push(id);
        if (options.onToken?.(id) === false || generated.length === most) break;
        if (reader instanceof EagerReader) {
          const read = prompt.length + generated.length - 1;
          reader = await this.captured(reader, read, most - generated.length);
        }
        // Signals get through between tokens.
        await setImmediate();
        prediction = await (reader instanceof EagerReader ? reader.read([id]) : reader.read(id));
      }
    } finally {
      reader.dispose();
    }
    return generated;
  }

  /** The reader itself, or a captured one that continues at its position. */
  private async captured(reader: EagerReader, read: number, toCome: number): Promise<EagerReader | CapturedReader> {
    if (!this.compile || (this.graphs.count === 0 && this.eagerTokens-- > 0)) return reader;
    try {
      const next = await CapturedReader.following(this.graphs, reader.cache, { read, toCome });
      reader.dispose();
      return next;
    } catch (error) {
      const { onWarning } = this.options;
      if (!(error instanceof UntraceableError) || !onWarning) throw error;
      onWarning('not_captured', `${error.message}; answers are decoded eagerly, which is slower`);
      this.compile = false;
      return reader;
    }
  }

  dispose(): void {
    this.graphs.dispose();
  }
}

/** The next token; disposes the prediction. */
async function choose({ likeliest, logits }: Prediction, options: GenerateOptions): Promise<number> {
  const greedy = options.temperature <= 0;
  const values = await (greedy ? likeliest : logits).data();
  tf.dispose([likeliest, logits]);
  return greedy ? values[0]! : drawToken(values as Float32Array, options);
}
