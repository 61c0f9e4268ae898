// The data that the claims are measured on, and the small model: rows of the code-word task with their suite, text that the embedded
// model knows, and a model of 0.4 million parameters that is pretrained like the embedded one. Everything follows from seeds.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeWordRows } from '../../extension/scripts/embedded/datasets/codeWords.mjs';
import { importEngineModule } from '../../extension/scripts/embedded/engineModule.mjs';
import { initModel, modelJsonFiles } from '../../extension/scripts/embedded/initModel.mjs';
import { createRandom } from '../../extension/scripts/embedded/random.mjs';
import { generateRows, writeCorpus } from '../../extension/scripts/embedded/writeCorpus.mjs';
import { root } from '../../extension/scripts/setUp.mjs';
import { data } from './work.mjs';

const CORPUS = { documents: 130_000, seed: 1 };
/** Of the general texts: text of the same grammar as the pretraining corpus, none of its rows. */
const GENERAL_SEED = 2;
/** Where it differs from the embedded model: 399,840 parameters. */
export const SMALL_SHAPE = { hidden_size: 96, intermediate_size: 256, num_hidden_layers: 2, head_dim: 24 };

const jsonLines = rows => rows.map(row => `${JSON.stringify(row)}\n`).join('');

/** @returns {Promise<Record<string, string>>} file name to content */
export async function dataFiles() {
  const { sourceHash } = await importEngineModule('engine/data/sourceHash.ts');
  const { train, validation } = codeWordRows(createRandom(data.seed), data.counts);
  const suite = validation.map(({ messages }) => {
    const [{ content: prompt }, { content: expected }] = messages;
    const checks = [{ type: 'exact', value: expected }];
    return { id: prompt, prompt, expected, checks, max_new_tokens: 16, source: sourceHash({ kind: 'chat', messages }) };
  });
  return {
    'codewords.messages.jsonl': jsonLines(train),
    'codewords.validation.jsonl': jsonLines(validation),
    'codewords.eval.jsonl': jsonLines(suite),
    'general.text.jsonl': jsonLines(generalTexts()),
  };
}

function generalTexts() {
  const texts = [];
  for (const { text, heldOut } of generateRows(GENERAL_SEED)) {
    if (heldOut) texts.push({ text });
    if (texts.length === data.generalTexts) return texts;
  }
}

/**
 * Pretrains the small model in `folder`; its folder is then `train/model`. What exists is kept, an interrupted training is resumed.
 * @param {string} folder
 */
export async function makeSmallModel(folder) {
  if (existsSync(join(folder, 'train/model/model.safetensors'))) return;
  const once = async (name, make) => {
    const path = join(folder, name);
    if (existsSync(path)) return path;
    rmSync(`${path}.partial`, { recursive: true, force: true });
    mkdirSync(`${path}.partial`, { recursive: true });
    await make(`${path}.partial`);
    renameSync(`${path}.partial`, path);
    return path;
  };
  const embedded = join(root, 'media/models/tiny');
  const corpus = await once('corpus', path => writeCorpus(path, CORPUS.documents, CORPUS.seed));
  const shape = await once('shape', async path => {
    for (const name of modelJsonFiles) writeFileSync(join(path, name), readFileSync(join(embedded, name)));
    const config = JSON.parse(readFileSync(join(embedded, 'config.json'), 'utf8'));
    writeFileSync(join(path, 'config.json'), JSON.stringify({ ...config, ...SMALL_SHAPE }, null, 2));
  });
  const init = await once('init', path => initModel(shape, path, CORPUS.seed));
  const run = JSON.parse(readFileSync(join(root, 'extension/scripts/embedded/pretrain.tune.json'), 'utf8'));
  const dataset = { ...run.dataset, train: join(corpus, 'train.jsonl'), validation: join(corpus, 'validation.jsonl') };
  const file = join(folder, 'pretrain.tune.json');
  writeFileSync(file, JSON.stringify({ ...run, name: 'claims-small', model: init, dataset, engine: { threads: 1 } }));
  const out = join(folder, 'train');
  const resume = existsSync(out) ? ['--resume'] : [];
  const args = [join(root, 'extension/bin/tunewright.mjs'), 'train', file, '--out', out, ...resume];
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  if (status !== 0) throw new Error(`Pretraining the small model ended with ${status}; run this again to resume it.`);
}
