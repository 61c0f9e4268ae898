// Creates the embedded model from scratch: corpus, tokenizer, random weights, pretraining with the FULL method, and the
// half-precision copy in media/models/tiny. Run by hand; a stage whose output exists is skipped, an interrupted training run is
// resumed from its last checkpoint. Delete runs/embedded to start again.
// Usage: node extension/scripts/embedded/make.mjs
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { importEngineModule } from './engineModule.mjs';
import { initModel, llamaTensors } from './initModel.mjs';
import { trainTokenizer } from './trainTokenizer.mjs';
import { writeCorpus } from './writeCorpus.mjs';

const DOCUMENTS = 130_000;
const VOCABULARY = 2048;
const SEED = 1;

const root = fileURLToPath(new URL('../../..', import.meta.url));
const work = path.join(root, 'runs/embedded');
const product = path.join(root, 'media/models/tiny');
const folders = {
  corpus: `${work}/corpus`,
  tokenizer: `${work}/tokenizer`,
  init: `${work}/init`,
  train: `${work}/train`,
};

/**
 * Runs a stage whose output folder is renamed to its final name once the stage is complete.
 * @param {string} name
 * @param {(folder: string) => Promise<void>} make
 */
async function stage(name, make) {
  const folder = folders[name];
  if (existsSync(folder)) {
    console.log(`${name}: already exists`);
    return;
  }
  console.log(`${name} ...`);
  rmSync(`${folder}.partial`, { recursive: true, force: true });
  await make(`${folder}.partial`);
  renameSync(`${folder}.partial`, folder);
}

/** Runs the command-line program, like a user. */
function pretrain() {
  const resume = existsSync(folders.train) ? ['--resume'] : [];
  const run = fileURLToPath(new URL('pretrain.tune.json', import.meta.url));
  const bin = path.join(root, 'extension/bin/tunewright.mjs');
  const { status } = spawnSync(process.execPath, [bin, 'train', run, '--out', folders.train, ...resume], {
    stdio: 'inherit',
  });
  if (status !== 0)
    throw new Error(`Training exited with code ${status}. Run this script again to resume from the last checkpoint.`);
}

/** float16 halves the file, without a visible effect on weights of this size. */
async function publish() {
  const { openSafetensors, writeSafetensors } = await importEngineModule('engine/files/safetensors.ts');
  const trained = openSafetensors(`${folders.train}/model/model.safetensors`);
  const expected = llamaTensors(JSON.parse(readFileSync(path.join(product, 'config.json'), 'utf8')));
  if (trained.tensors.size !== expected.length)
    throw new Error(`${trained.tensors.size} tensors, not ${expected.length}`);
  const entries = expected.map(([name, shape]) => ({
    name,
    shape,
    dtype: 'F16',
    data: () => trained.tensors.get(name).readFloat32(),
  }));
  writeSafetensors(path.join(product, 'model.safetensors'), entries);
  trained.close();
  console.log(`The model is in ${path.relative(root, product)}.`);
}

await stage('corpus', folder => writeCorpus(folder, DOCUMENTS, SEED));
await stage('tokenizer', folder => trainTokenizer(`${folders.corpus}/train.jsonl`, folder, VOCABULARY));
for (const name of ['tokenizer.json', 'tokenizer_config.json']) {
  copyFileSync(path.join(folders.tokenizer, name), path.join(product, name));
}
await stage('init', folder => initModel(product, folder, SEED));
if (!existsSync(`${folders.train}/model/model.safetensors`)) pretrain();
await publish();
