// One base model in memory, the adapters attached to it, and a decoder for each. Used by `generate`, `evaluate` and a
// run's samples. Each request chooses an adapter by name; the base is loaded once and never changed.
import { createRng } from '../data/rng.js';
import type { CausalLm } from '../models/causalLm.js';
import { endTokensOf } from '../models/endTokens.js';
import type { ModelOnDisk } from '../models/modelOnDisk.js';
import type { Adapter } from '../peft/adapter.js';
import { loadAdapter, type SavedAdapter } from '../peft/adapterFiles.js';
import { Decoder } from './generate.js';
import { promptIds } from './prompt.js';

export interface SessionOptions {
  onDisk: ModelOnDisk;
  /** Belongs to the caller. */
  model: CausalLm;
  /** Whether to read tokens with captured graphs, once that pays off. */
  compile: boolean;
  /** Called once for each adapter if an op can't be captured. If absent, that is an error. */
  onWarning?: (code: string, message: string) => void;
}

export interface AnswerRequest {
  prompt: string;
  system?: string;
  /** Name of the adapter that answers; null: the base alone. */
  adapter: string | null;
  maxNewTokens: number;
  /** 0: always the likeliest token. */
  temperature?: number;
  topP?: number;
  /** Seed of the sampling. */
  seed?: number;
  /** Called with each new token; return false to stop. */
  onToken?: (id: number) => boolean | void;
  /** Called after each new token with the text so far, complete characters only. */
  onText?: (text: string) => void;
}

export interface Answer {
  text: string;
  tokenIds: number[];
}

interface Attached {
  adapter: Adapter | null;
  decoder: Decoder;
  /** Whether the session loaded the adapter, and disposes it. */
  owned: boolean;
}

export class Session {
  private readonly attached = new Map<string | null, Attached>();
  private readonly stopTokenIds: number[];

  constructor(private readonly options: SessionOptions) {
    this.stopTokenIds = endTokensOf(options.onDisk);
    this.attach(null, null, false);
  }

  /** Loads an adapter under a name; it belongs to the session. @throws InputError if it doesn't fit this base */
  load(name: string, saved: SavedAdapter): Adapter {
    const adapter = loadAdapter(saved, this.options.model);
    this.attach(name, adapter, true);
    return adapter;
  }

  /** Lets requests choose an adapter that belongs to the caller, such as the one being trained. */
  share(name: string, adapter: Adapter): void {
    this.attach(name, adapter, false);
  }

  /** @throws InputError if the prompt leaves no room for an answer */
  async answer(request: AnswerRequest): Promise<Answer> {
    const { tokenizer } = this.options.onDisk;
    const { decoder, adapter } = this.named(request.adapter);
    const { vocabSize } = (adapter?.attached ?? this.options.model).architecture;
    const { temperature = 0, topP = 1, seed = 0, maxNewTokens, onToken, onText } = request;
    const decoded = (ids: number[]) => tokenizer.decode(ids, { skipSpecialTokens: true });
    const tokens: number[] = [];
    const tokenIds = await decoder.generate(promptIds(tokenizer, vocabSize, request.prompt, request.system), {
      maxNewTokens,
      stopTokenIds: this.stopTokenIds,
      temperature,
      topP,
      rng: createRng(seed),
      onToken: id => {
        if (onText) {
          tokens.push(id);
          const text = decoded(tokens);
          // A character may take several tokens; an incomplete one decodes to a replacement character.
          if (!text.endsWith('\uFFFD')) onText(text);
        }
        return onToken?.(id);
      },
    });
    return { text: decoded(tokenIds).trim(), tokenIds };
  }

  dispose(): void {
    for (const { adapter, decoder, owned } of this.attached.values()) {
      decoder.dispose();
      if (owned) adapter?.dispose();
    }
    this.attached.clear();
  }

  private attach(name: string | null, adapter: Adapter | null, owned: boolean): void {
    const { model, compile, onWarning } = this.options;
    this.attached.set(name, { adapter, decoder: new Decoder({ model, adapter, compile, onWarning }), owned });
  }

  private named(name: string | null): Attached {
    const attached = this.attached.get(name);
    if (!attached) throw new Error(`no adapter is loaded under the name ${name}`);
    return attached;
  }
}
