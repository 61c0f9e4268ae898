// The forgetting meter: how far the tuned model has moved from its base on general text. The base is measured once, before its
// parameters are replaced, by the same model without the adapter. Runs eagerly, layer by layer: a graph would take longer to
// compile than it saves.
import * as tf from '@tensorflow/tfjs-core';
import type { EncodedExample } from '../../core/data/example.js';
import type { MetricInfo } from '../../protocol/engineEvent.js';
import type { Batch } from '../data/batch.js';
import { makeBatch, packInOrder } from '../data/batches.js';
import { storedName } from '../models/architecture.js';
import type { CausalLm, ForwardOptions } from '../models/causalLm.js';
import type { Adapter } from '../peft/adapter.js';
import { labelRows } from './crossEntropy.js';
import { modelInput } from './microBatch.js';

/** What `measure` returns, described for `started` events. */
export const FORGETTING_METRICS: readonly MetricInfo[] = [
  {
    name: 'kl_from_base',
    title: 'KL divergence from the base',
    better: 'lower',
    unit: 'number',
    follows_loss: false,
  },
  { name: 'general_loss', title: 'General text loss', better: 'lower', unit: 'number', follows_loss: false },
];

/**
 * Nats per token above which a run warns if the loss on general text has risen too: to the tuned model, text as the base writes it is then 1.65 times as perplexing as
 * to the base.
 */
export const FORGETTING_LIMIT = 0.5;

export interface Forgetting {
  /** KL(base || tuned), the mean over tokens, in nats. */
  kl_from_base: number;
  /** Mean cross entropy of the texts' tokens, in nats. */
  general_loss: number;
}

/** Logits in memory at the same time; each operation on them makes as many values again. */
const CHUNK_LOGITS = 2 ** 20;

/** Owns the base's values; the model belongs to the caller. */
export class ForgettingMeter {
  private constructor(
    private readonly model: CausalLm,
    private readonly batch: Batch,
    /** The base's final hidden states [tokens, hidden], or its log-probabilities [tokens, vocab] if its head is replaced. */
    private readonly base: { states: tf.Tensor2D } | { logProbabilities: tf.Tensor2D },
    /** The base's own loss on the texts. */
    readonly baseLoss: number,
  ) {}

  /**
   * Measures the base. The adapter may be attached to it, but must not have taken over its parameters.
   * @param rows whose first tokens have no label
   */
  static async open(
    model: CausalLm,
    rows: readonly EncodedExample[],
    adapter: Adapter | null,
  ): Promise<ForgettingMeter> {
    const { architecture } = model;
    const states = statesAt(model, batchOf(rows), {});
    const virtualTokens = adapter?.attached.virtualTokens ?? 0;
    const batch = batchOf(rows, { virtualTokens, firstVirtualId: architecture.vocabSize });
    const head = `${architecture.head}.weight`;
    const replaced = adapter?.forwardOptions.replaced;
    const headIsReplaced = replaced?.has(head) || replaced?.has(storedName(architecture, head));
    const base = headIsReplaced
      ? {
          logProbabilities: tf.tidy(() =>
            tf.concat(
              logitChunks(model, states.shape[0]).map(chunk => logProbabilities(model, rowsOf(states, chunk), {})),
            ),
          ),
        }
      : { states };
    const { loss } = await compared(model, base, states, {}, batch);
    if (headIsReplaced) states.dispose();
    return new ForgettingMeter(model, batch, base, loss);
  }

  /** @param options the tuned model's */
  async measure(options: ForwardOptions): Promise<Forgetting> {
    const states = statesAt(this.model, this.batch, options);
    const { divergence, loss } = await compared(this.model, this.base, states, options, this.batch);
    states.dispose();
    return { kl_from_base: divergence, general_loss: loss };
  }

  dispose(): void {
    tf.dispose(Object.values(this.base));
  }
}

/**
 * KL(base || tuned) of each row, [rows].
 * @param base log-probabilities, like `tuned` [rows, vocab]
 */
export function divergences(base: tf.Tensor2D, tuned: tf.Tensor2D): tf.Tensor1D {
  return tf.sum(tf.mul(tf.exp(base), tf.sub(base, tuned)), 1);
}

function batchOf(rows: readonly EncodedExample[], options?: Parameters<typeof makeBatch>[2]): Batch {
  const dataset = { get: (i: number) => rows[i]!, lengthOf: (i: number) => rows[i]!.inputIds.length };
  return makeBatch({ sequences: rows.map((_, i) => [i]) }, dataset, options);
}

/**
 * The final hidden states of the tokens of rows that predict a label, [labels, hidden]; they belong to the caller. Short rows are packed
 * together: all of them are in one batch.
 */
export function statesOfRows(model: CausalLm, rows: readonly EncodedExample[], options: ForwardOptions): tf.Tensor2D {
  const lengthOf = (i: number) => rows[i]!.inputIds.length;
  const longest = Math.max(...rows.map(({ inputIds }) => inputIds.length));
  const sequences = packInOrder([...rows.keys()], longest, lengthOf);
  return statesAt(model, makeBatch({ sequences }, { get: i => rows[i]!, lengthOf }), options);
}

/** The final hidden states that predict a label, [labels, hidden]; they belong to the caller. */
function statesAt(model: CausalLm, batch: Batch, options: ForwardOptions): tf.Tensor2D {
  return tf.tidy(() => {
    const pass = model.open(modelInput(batch), options);
    let x = tf.tidy(() => model.embed(pass));
    for (let i = 0; i < model.architecture.layers.length; i++) {
      const next = tf.tidy(() => model.layer(pass, i, x));
      x.dispose();
      x = next;
    }
    return tf.gather(model.finalNorm(pass, x), labelRows(batch).rows) as tf.Tensor2D;
  });
}

/** Means over the label tokens. */
async function compared(
  model: CausalLm,
  base: { states: tf.Tensor2D } | { logProbabilities: tf.Tensor2D },
  states: tf.Tensor2D,
  options: ForwardOptions,
  batch: Batch,
): Promise<{ divergence: number; loss: number }> {
  const { targets } = labelRows(batch);
  const sums = { divergence: 0, loss: 0 };
  for (const chunk of logitChunks(model, targets.length)) {
    const { start, size } = chunk;
    const part = (x: tf.Tensor2D) => rowsOf(x, chunk);
    const parts = tf.tidy(() => {
      const tuned = logProbabilities(model, part(states), options);
      const own = 'states' in base ? logProbabilities(model, part(base.states), {}) : part(base.logProbabilities);
      const places = Array.from({ length: size }, (_, i) => [i, targets[start + i]!]);
      const ofTargets = tf.gatherND(tuned, tf.tensor2d(places, [size, 2], 'int32'));
      return [tf.sum(divergences(own, tuned)), tf.sum(ofTargets)] as const;
    });
    const [divergence, logProbability] = await Promise.all(parts.map(async part => (await part.data())[0]!));
    sums.divergence += divergence!;
    sums.loss -= logProbability!;
    tf.dispose([...parts]);
  }
  // Of nearly equal distributions, rounding may leave a sum just below 0.
  return { divergence: Math.max(0, sums.divergence / targets.length), loss: sums.loss / targets.length };
}

export function logProbabilities(model: CausalLm, states: tf.Tensor2D, options: ForwardOptions): tf.Tensor2D {
  return tf.logSoftmax(model.logits(states, options));
}

/** Parts of rows of logits, one of which is in memory at a time. */
export function logitChunks({ architecture }: CausalLm, rows: number): { start: number; size: number }[] {
  const most = Math.max(1, Math.floor(CHUNK_LOGITS / architecture.vocabSize));
  return Array.from({ length: Math.ceil(rows / most) }, (_, i) => {
    const start = i * most;
    return { start, size: Math.min(most, rows - start) };
  });
}

export function rowsOf(x: tf.Tensor2D, { start, size }: { start: number; size: number }): tf.Tensor2D {
  return tf.slice(x, [start, 0], [size, -1]);
}
