// The training step as TensorFlow graphs: the functions of stepMath.ts, traced once for each shape of micro-batch and
// then run by one call. Frozen weights are variables of the graphs; trainable tensors are fed and fetched, so that
// checkpoints, evaluation and the eager step see the same tensors. Sizes are rounded up to a few buckets to keep the
// number of graphs small.
import * as tf from '@tensorflow/tfjs-core';
import { tensorsOf } from '../capture/compiledTree.js';
import type { Batch } from '../data/batch.js';
import type { AdamW } from './adamW.js';
import { bucketOf, type Bucket, type BucketSizes } from './buckets.js';
import { CapturedGraphs, shapesOf, type CompileReport } from './capturedGraphs.js';
import { capturedScore } from './capturedScore.js';
import { seededDropout } from './dropout.js';
import { batchTensors, modelInput } from './microBatch.js';
import { clippedUpdate, lossAndGradients, statesOf, type Tensors, type Training } from './stepMath.js';
import { dropoutSeed, weightOf, type StepResult, type StepSettings } from './trainingStep.js';

/** Owns its graphs; model, adapter and optimizer belong to the caller. */
export class CapturedStep {
  private readonly graphs = new CapturedGraphs();

  constructor(
    private readonly training: Training,
    private readonly optimizer: AdamW,
    private readonly sizes: BucketSizes,
  ) {}

  /** Counts over all graphs compiled so far. */
  get report(): CompileReport {
    return this.graphs.report;
  }

  /**
   * One update of the adapter. If the loss or the gradient norm is non-finite, nothing is changed.
   * @throws UntraceableError on an op that can't be captured
   */
  async step(batches: readonly Batch[], settings: StepSettings): Promise<StepResult> {
    const { objective } = this.training;
    const { learningRate, maxGradNorm, rng } = settings;
    const totalWeight = weightOf(objective, batches);
    let gradients: Tensors | undefined;
    const losses: tf.Scalar[] = [];
    const ofTokens: (tf.Tensor1D | undefined)[] = [];
    for (const [i, batch] of batches.entries()) {
      const own = {
        tensors: batchTensors(objective, batch, this.bucketFor(batch)),
        totalWeight: tf.scalar(totalWeight),
        seed: tf.scalar(dropoutSeed(rng, i), 'int32'),
      };
      const result = await this.gradients(own, gradients, settings.gradientCheckpointing);
      losses.push(result.loss);
      ofTokens.push(result.tokenLosses);
      tf.dispose([...tensorsOf(own), ...(gradients?.values() ?? [])]);
      gradients = result.gradients;
    }
    const { optimizer } = this;
    const inputs = { gradients: gradients!, state: optimizer.state, scalars: optimizer.nextScalars(learningRate) };
    const { norm, state } = await this.graphs.run('update', inputs, inputs =>
      clippedUpdate(inputs, maxGradNorm, optimizer.config),
    );
    // Read at the end, together: a GPU computes on meanwhile.
    const [[gradNorm], ...values] = await Promise.all([norm, ...losses].map(tensor => tensor.data<'float32'>()));
    const loss = values.reduce((sum, [value]) => sum + value!, 0);
    const tokenLosses = await Promise.all(
      // Those of padding are at the end.
      ofTokens.map(
        async (tensor, i) => (await tensor?.data<'float32'>())?.subarray(0, batches[i]!.numLabelTokens) ?? null,
      ),
    );
    if (Number.isFinite(loss) && Number.isFinite(gradNorm)) optimizer.take(state);
    tf.dispose(tensorsOf({ norm, state, gradients, scalars: inputs.scalars }));
    tf.dispose([...losses, ...ofTokens.filter(tensor => tensor !== undefined)]);
    return { loss, gradNorm: gradNorm!, tokenLosses };
  }

  score(batch: Batch): Promise<any> {
    return capturedScore(this.graphs, this.training, batch, this.sizes);
  }

  /** The frozen lower layers' output for a batch, [batch * seq, hidden]. */
  async frozenOutput(batch: Batch): Promise<Float32Array> {
    const { model, adapter } = this.training;
    const bucket = this.bucketFor(batch);
    const input = modelInput(batch, bucket);
    const states = await this.graphs.run(`states ${shapesOf(input)}`, input, input =>
      statesOf(model, adapter.forwardOptions, input),
    );
    const values = await states.data<'float32'>();
    tf.dispose([...Object.values(input), states]);
    const width = values.length / (bucket.batchSize * bucket.sequenceLength);
    const rows = batch.sequenceLength * width;
    const kept = new Float32Array(batch.batchSize * rows);
    for (let b = 0; b < batch.batchSize; b++) {
      const start = b * bucket.sequenceLength * width;
      kept.set(values.subarray(start, start + rows), b * rows);
    }
    return kept;
  }

  dispose(): void {
    this.graphs.dispose();
  }

  private bucketFor(batch: Batch): Bucket {
    return bucketOf(this.training.objective.sizes(batch), this.sizes);
  }

  /** Loss and gradients of a micro-batch; the gradients are added to `sums`, if given. */
  private gradients(
    own: { tensors: ReturnType<typeof batchTensors>; totalWeight: tf.Scalar; seed: tf.Scalar },
    sums: Tensors | undefined,
    gradientCheckpointing?: boolean,
  ): Promise<{ loss: tf.Scalar; gradients: Tensors; tokenLosses: tf.Tensor1D | undefined }> {
    const inputs = { ...own, parameters: this.training.adapter.variables as Tensors, sums };
    const key = `gradients ${shapesOf(own.tensors)}${sums ? ' added' : ''}`;
    return this.graphs.run(key, inputs, ({ tensors, totalWeight, seed, parameters, sums }) => {
      const options = { totalWeight, dropout: seededDropout(seed), gradientCheckpointing };
      const { loss, gradients, tokenLosses } = lossAndGradients(this.training, parameters, tensors, options);
      const added = [...parameters].map(([key, parameter]) => {
        const gradient = gradients.get(key) ?? tf.zerosLike(parameter);
        return [key, sums ? tf.add(sums.get(key)!, gradient) : gradient] as const;
      });
      return { loss, gradients: new Map(added), tokenLosses };
    });
  }
}
