// Answers of one model and adapter by token ids, without a session: greedy, or sampled from a seed.
import { Batch, capacityFor } from '../../extension/src/engine/generation/batch.js';
import { stacked } from '../../extension/src/engine/generation/cacheTensor.js';
import { pooledForm, poolShape } from '../../extension/src/engine/generation/loraPool.js';
import type { StepGraphs } from '../../extension/src/engine/generation/stepGraphs.js';
import type { Prediction } from '../../extension/src/engine/generation/tokenReader.js';
import type { CausalLm, KeyValueCache } from '../../extension/src/engine/models/causalLm.js';
import type { Adapter } from '../../extension/src/engine/peft/adapter.js';
import { TokenSampler, type SamplingOptions } from '../../extension/src/engine/generation/sampling.js';
import { Scheduler, type SchedulerOptions } from '../../extension/src/engine/generation/scheduler.js';
import { samplingSchema } from '../../extension/src/protocol/sampling.js';
import { adapterForm, adapterVariant, loraVariant } from '../../extension/src/engine/generation/variant.js';

/** Captured steps of one sequence that follow those of an eager reader. */
export class CapturedReader {
  private readonly batch: Batch<CapturedReader>;

  /**
   * @param cache belongs to the caller
   * @param toCome tokens at most
   */
  constructor(
    private readonly graphs: StepGraphs,
    private readonly adapter: Adapter | null,
    cache: KeyValueCache,
    toCome = 8,
  ) {
    this.length = cache.length;
    this.batch = new Batch<CapturedReader>(graphs, { rows: 1, capacity: capacityFor(cache.length, toCome) });
    const own = stacked(cache);
    this.batch.join(this, own);
    own.dispose();
  }

  length: number;

  async read(token: number): Promise<Prediction> {
    const { adapter, graphs } = this;
    const form = adapter ? adapterForm(adapter) : pooledForm(poolShape([]), graphs.model.architecture);
    const prediction = await this.batch.step(form, [token], [...(adapter?.tensors.values() ?? [])]);
    this.length++;
    return prediction;
  }

  dispose(): void {
    this.batch.dispose();
  }
}

export interface GenerateOptions extends Partial<SamplingOptions> {
  maxNewTokens: number;
  stopTokenIds: readonly number[];
  /** Return false to stop. */
  onToken?: (id: number) => boolean | void;
}

export class Decoder {
  private readonly scheduler: Scheduler;

  constructor(private readonly options: SchedulerOptions & { model: CausalLm; adapter: Adapter | null }) {
    this.scheduler = new Scheduler(options);
  }

  /** @returns the new token ids, without the stop token */
  async generate(promptIds: readonly number[], options: GenerateOptions): Promise<number[]> {
    const { adapter } = this.options;
    const ids: number[] = [];
    let stopped = false;
    const { maxNewTokens, stopTokenIds, onToken, ...given } = options;
    const sampler = new TokenSampler(samplingSchema.omit({ max_new_tokens: true, stop: true }).parse(given), promptIds);
    await this.scheduler.decode({
      variant: adapter ? adapterVariant(null, adapter) : loraVariant('', new Map()),
      promptIds,
      maxNewTokens,
      needsLogits: !sampler.isPlainGreedy,
      next: (likeliest, logits) => {
        const id = logits ? sampler.choose(logits) : likeliest;
        if (stopped || stopTokenIds.includes(id)) return null;
        ids.push(id);
        sampler.add(id);
        stopped = onToken?.(id) === false;
        return stopped ? null : id;
      },
    });
    return ids;
  }

  dispose(): void {
    this.scheduler.dispose();
  }
}
