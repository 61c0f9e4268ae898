// `npm run bench [-- ROW...] [--rounds N]`: runs the rows of work.mjs alternately with Tunewright and its peers, each in a separate
// process, and writes RESULTS.md in this folder. TUNEWRIGHT_BENCH_PYTHON and TUNEWRIGHT_BENCH_LLAMA_PYTHON may name Pythons that
// have the peers' packages.
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg, release, totalmem, type } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { importEngineModule } from '../../extension/scripts/embedded/engineModule.mjs';
import { root, setUp, tunewright } from '../../extension/scripts/setUp.mjs';
import { decodeOurs, decodePeer } from './decode.mjs';
import { exportOurs } from './exports.mjs';
import { trainLarge } from './largeBases.mjs';
import { ggufFile, modelFolder, rowsFile } from './materials.mjs';
import { answerOf, trainOurs } from './ours.mjs';
import {
  installLlamaNode,
  installPeer,
  llamaNode,
  llamaPackages,
  llamaVersion,
  peerFlopsPerSecond,
  peerVersions,
  pytorchPackages,
  trainPeer,
} from './peer.mjs';
import { report, speedOf } from './report.mjs';
import { loraGguf, serveLlama, serveOurs, servePeft, trainedAdapters } from './serving.mjs';
import { decoding, exportWorks, largeBases, serving, works } from './work.mjs';

const { values, positionals } = parseArgs({
  options: { rounds: { type: 'string', default: '3' }, out: { type: 'string' } },
  allowPositionals: true,
});
const isChosen = ({ id }) => positionals.length === 0 || positionals.includes(id);
const large = largeBases.filter(isChosen);
const exporting = exportWorks.filter(isChosen);
const chosen = works.filter(isChosen);
const decodes = isChosen(decoding);
const serves = isChosen(serving);
if (chosen.length + large.length + exporting.length === 0 && !decodes && !serves) {
  console.error(`Rows: ${[...works, decoding, serving, ...exportWorks, ...largeBases].map(({ id }) => id).join(', ')}`);
  process.exit(2);
}

setUp();
const { cacheFolder } = await importEngineModule('engine/install/paths.ts');
const { cpuKind } = await importEngineModule('engine/machine/machine.ts');
const materials = join(cacheFolder(), 'bench');
const python = process.env.TUNEWRIGHT_BENCH_PYTHON ?? installPeer(join(materials, 'peer'), pytorchPackages);

const results = [];
for (const work of chosen) {
  const rows = await rowsFile(work.rows, materials);
  const job = { ...work, model: await modelFolder(work.model, materials), rows };
  const rowsOfEpoch = readFileSync(rows, 'utf8').trim().split('\n').length;
  const rounds = [];
  for (let i = 0; i < Number(values.rounds); i++) {
    const round = { ours: await trainOurs(job), peer: await trainPeer(python, job) };
    if (work.fasterThanEager !== undefined) round.eager = await trainOurs({ ...job, compile: false });
    for (const side of Object.values(round)) side.rowsOfEpoch = rowsOfEpoch;
    rounds.push(round);
    const shown = Object.entries(round).map(
      ([side, run]) => `${side} ${speedOf(work, run).toFixed(1)} ${work.unit}/s ${(run.peakBytes / 1e9).toFixed(2)} GB`,
    );
    console.log(
      `${work.id} round ${i + 1}: ${shown.join(', ')}; loss ${round.ours.steps[0].loss} / ${round.peer.steps[0].loss}`,
    );
  }
  results.push({ work, rounds });
}

let decoded = null;
let llama = null;
if (decodes) {
  llama = process.env.TUNEWRIGHT_BENCH_LLAMA_PYTHON ?? installPeer(join(materials, 'llama'), llamaPackages);
  const job = { ...decoding, model: await modelFolder(decoding.model, materials) };
  const gguf = await ggufFile(decoding.model, materials);
  const rounds = [];
  for (let i = 0; i < Number(values.rounds); i++) {
    const round = {
      ours: decodeOurs(job),
      transformers: await decodePeer(python, 'decode_transformers.py', job.model, job),
      llama: await decodePeer(llama, 'decode_llama.py', gguf, job),
    };
    rounds.push(round);
    const shown = Object.entries(round).map(([side, { tokensPerSecond }]) => `${side} ${tokensPerSecond.toFixed(1)}`);
    console.log(`${decoding.id} round ${i + 1}, tokens/s: ${shown.join(', ')}`);
  }
  decoded = { work: decoding, rounds };
}

let served = null;
if (serves) {
  const model = await modelFolder(serving.model, materials);
  const adapters = await trainedAdapters(serving, model, materials);
  const job = { ...serving, model, adapters };
  const files = {
    gguf: await ggufFile(serving.model, materials),
    lora: await loraGguf(serving, model, adapters.LORA, materials),
  };
  const llamaFolder = installLlamaNode(join(materials, 'node-llama-cpp'));
  const rounds = [];
  for (let i = 0; i < Number(values.rounds); i++) {
    const round = {
      ours: await serveOurs(job),
      peft: await servePeft(python, job),
      llama: await serveLlama(llamaFolder, files, job),
    };
    rounds.push(round);
    for (const [side, { swaps, speeds }] of Object.entries(round))
      console.log(`${serving.id} round ${i + 1}, ${side}: ${JSON.stringify({ swaps, speeds })}`);
  }
  served = { work: serving, rounds };
}

const exported = [];
for (const work of exporting) {
  const rounds = [];
  for (let i = 0; i < Number(values.rounds); i++) {
    const round = await exportOurs(work, materials);
    rounds.push(round);
    console.log(
      `${work.id} round ${i + 1}: ${round.seconds.toFixed(1)} s, ${(round.peakBytes / 1e9).toFixed(3)} GB; KL ${round.divergence}`,
    );
  }
  exported.push({ work, rounds });
}

const largeRuns = [];
for (const work of large) {
  const run = await trainLarge(work, materials);
  console.log(`${work.id}: ${(run.peakBytes / 1e9).toFixed(2)} GB; loss ${run.steps[0].loss}`);
  largeRuns.push({ work, run });
}

// The speed of each library's matrix product on this machine helps to explain the ratios.
const speedFile = join(cacheFolder(), 'machine-speed.json');
rmSync(speedFile, { force: true });
tunewright('estimate', join(root, 'media/examples/pirate.tune.json'));
const { flopsPerSecond } = JSON.parse(readFileSync(speedFile, 'utf8'));
const { libraryVersion } = answerOf('engine', 'status').installation;
const gflops = value => `${Math.round(value / 1e9)} GFLOPS`;

const commit = spawnSync('git', ['describe', '--always', '--dirty'], { cwd: root, encoding: 'utf8' }).stdout.trim();
const machine = [
  `${cpuKind()}, ${availableParallelism()} cores, ${Math.round(totalmem() / 1e9)} GB, ${type()} ${release()}`,
  `Tunewright ${commit} on Node ${process.versions.node}, TensorFlow ${libraryVersion}`,
  [peerVersions(python), ...(llama ? [llamaVersion(llama)] : []), ...(served ? [llamaNode] : [])].join(', '),
  `one float32 product, [1024, 576] x [576, 1536]: TensorFlow ${gflops(flopsPerSecond)}, PyTorch ${gflops(peerFlopsPerSecond(python))}`,
  `${new Date().toISOString().slice(0, 10)}; load average at the end ${loadavg()
    .map(value => value.toFixed(1))
    .join(', ')}`,
  'Models have the named shape and random weights, on which speed does not depend; rows of 256 and 1,024 tokens are random.',
];
const out = values.out ?? fileURLToPath(new URL('RESULTS.md', import.meta.url));
writeFileSync(out, report({ results, decoded, served, largeRuns, exported }, machine));
console.log(`\nWritten to ${out}`);
