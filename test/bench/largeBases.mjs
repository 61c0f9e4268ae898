// `npm run bench:large [-- ROW...]`: one LoRA step with `gradient_checkpointing` on bases that only fit in few bits, and the
// memory that it takes. Models of the shape named are made once with random weights, as GGUF blocks (up to 3.8 GB of disk
// each). There is no peer in it.
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { importEngineModule } from '../../extension/scripts/embedded/engineModule.mjs';
import { root, setUp } from '../../extension/scripts/setUp.mjs';
import { rowsFile } from './materials.mjs';
import { trainOurs } from './ours.mjs';
import { writeRandomGguf } from './randomGguf.mjs';

const llama = { model_type: 'llama', rms_norm_eps: 1e-5, eos_token_id: 2 };
const smolLm2 = {
  ...llama,
  hidden_size: 2048,
  intermediate_size: 8192,
  num_hidden_layers: 24,
  num_attention_heads: 32,
  num_key_value_heads: 32,
  head_dim: 64,
  vocab_size: 49152,
  max_position_embeddings: 8192,
  rope_theta: 130000,
  tie_word_embeddings: true,
};
const llama2 = {
  ...llama,
  hidden_size: 4096,
  intermediate_size: 11008,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  num_key_value_heads: 32,
  head_dim: 128,
  vocab_size: 32000,
  max_position_embeddings: 4096,
  rope_theta: 10000,
  tie_word_embeddings: false,
};

/** Gigabytes are what issue 5 allows. */
const works = [
  { id: '1.7b-int8', config: smolLm2, ggmlType: 'Q8_0', baseWeights: 'int8', length: 512, gigabytes: 4 },
  { id: '1.7b-int4', config: smolLm2, ggmlType: 'Q4_0', baseWeights: 'int4', length: 512, gigabytes: 3 },
  { id: '7b-int4', config: llama2, ggmlType: 'Q4_0', baseWeights: 'int4', length: 256, gigabytes: 8 },
];

const chosen = process.argv.slice(2);
setUp();
const { cacheFolder } = await importEngineModule('engine/install/paths.ts');
const materials = join(cacheFolder(), 'bench');
mkdirSync(materials, { recursive: true });
for (const { id, config, ggmlType, baseWeights, length, gigabytes } of works) {
  if (chosen.length > 0 && !chosen.includes(id)) continue;
  const model = join(materials, `${id}.gguf`);
  if (!existsSync(model)) {
    writeRandomGguf(`${model}.partial`, config, ggmlType, join(root, 'media/models/tiny'));
    renameSync(`${model}.partial`, model);
  }
  const { steps, peakBytes, estimatedBytes } = await trainOurs({
    model,
    rows: await rowsFile({ count: 1, length }, materials),
    method: { peft_type: 'LORA', r: 8, lora_alpha: 16, target_modules: ['q_proj', 'v_proj'] },
    batchSize: 1,
    maxLength: length,
    packing: false,
    epochs: 1,
    learningRate: 1e-4,
    compile: 'auto',
    training: { gradient_checkpointing: true },
    engine: { base_weights: baseWeights },
  });
  const shown = bytes => `${(bytes / 1e9).toFixed(2)} GB`;
  const verdict = peakBytes <= gigabytes * 1e9 ? 'within' : 'ABOVE';
  console.log(
    `${id}: peak ${shown(peakBytes)}, ${verdict} ${gigabytes} GB; estimated ${shown(estimatedBytes)}; loss ${steps[0].loss}`,
  );
}
