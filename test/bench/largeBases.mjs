// The bench's rows with large models: each model is created once with random weights as quantized GGUF file (up to 3.8 GB), and
// trained for one step. Called by bench.mjs.
import { join } from 'node:path';
import { root } from '../../extension/scripts/setUp.mjs';
import { once, rowsFile } from './materials.mjs';
import { trainOurs } from './ours.mjs';
import { writeRandomGguf } from './randomGguf.mjs';
import { lora } from './work.mjs';

/** @returns {Promise<string>} the base's file */
export function largeBase({ id, config, ggmlType }, materials) {
  return once(join(materials, `${id}.gguf`), path =>
    writeRandomGguf(path, config, ggmlType, join(root, 'media/models/tiny')),
  );
}

/**
 * @param {(typeof import('./work.mjs').largeBases)[number]} work
 * @param {string} materials folder of models and rows
 */
export async function trainLarge(work, materials) {
  const { baseWeights, length } = work;
  return trainOurs({
    model: await largeBase(work, materials),
    rows: await rowsFile({ count: 1, length }, materials),
    method: lora,
    batchSize: 1,
    maxLength: length,
    packing: false,
    epochs: 1,
    learningRate: 1e-4,
    compile: 'auto',
    training: { gradient_checkpointing: true },
    engine: { base_weights: baseWeights },
  });
}
