// Makes the embedded model from nothing: corpus, tokenizer, random weights, pretraining with the FULL method, and the
// half-precision copy in media/models/tiny. Run by hand; a stage whose output stands is skipped, a broken-off training
// run goes on from its last checkpoint. Delete runs/embedded to begin again.
// Usage: node extension/scripts/embedded/make.mjs
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { importEngineModule } from './engineModule.mjs';
import { initModel, llamaTensors } from './initModel.mjs';
import { trainTokenizer } from './trainTokenizer.mjs';
import { writeCorpus } from './writeCorpus.mjs';

const documents = 130_000;
const vocabulary = 2048;
const seed = 1;

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
 * Runs a stage into a folder that gets its name only when the stage is complete.
 * @param {string} name
 * @param {(folder: string) => Promise<void>} make
 */
async function stage(name, make) {
  const folder = folders[name];
  if (existsSync(folder)) {
    console.log(`${name}: already there`);
    return;
  }
  console.log(`${name} ...`);
  rmSync(`${folder}.partial`, { recursive: true, force: true });
  await make(`${folder}.partial`);
  renameSync(`${folder}.partial`, folder);
}

/** The command-line program itself, as users start it. */
function pretrain() {
  const resume = existsSync(folders.train) ? ['--resume'] : [];
  const run = fileURLToPath(new URL('pretrain.tune.json', import.meta.url));
  const bin = path.join(root, 'extension/bin/tunewright.mjs');
  const { status } = spawnSync(process.execPath, [bin, 'train', run, '--out', folders.train, ...resume], {
    stdio: 'inherit',
  });
  if (status !== 0)
    throw new Error(`The training ended with ${status}. Start this script again to go on from the last checkpoint.`);
}

/** float32 -> float16 halves the file; weights of this size lose nothing that shows. */
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
  console.log(`The model stands in ${path.relative(root, product)}.`);
}

await stage('corpus', folder => writeCorpus(folder, documents, seed));
await stage('tokenizer', folder => trainTokenizer(`${folders.corpus}/train.jsonl`, folder, vocabulary));
for (const name of ['tokenizer.json', 'tokenizer_config.json']) {
  copyFileSync(path.join(folders.tokenizer, name), path.join(product, name));
}
await stage('init', folder => initModel(product, folder, seed));
if (!existsSync(`${folders.train}/model/model.safetensors`)) pretrain();
await publish();
