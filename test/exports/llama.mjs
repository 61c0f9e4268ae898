// llama.cpp's part of `npm run test:exports`: opens exported files with node-llama-cpp and compares them with reference.ts. Started by
// exports.mjs with its jobs on standard input; prints a JSON line for each.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const { folder, jobs } = JSON.parse(readFileSync(0, 'utf8'));
const library = pathToFileURL(join(folder, 'node_modules/node-llama-cpp/dist/index.js')).href;
const { getLlama } = await import(library);
// Its threads wait for each other in loops, which is slow on a busy machine.
const threads = 1;
const llama = await getLlama({ gpu: false, build: 'never', logger: () => {}, maxThreads: threads });

for (const job of jobs) console.log(JSON.stringify(await checked(job).catch(error => ({ problem: String(error) }))));
process.exit(0);

/** @param {{ file: string, lora: string | null, reference: string }} job */
async function checked({ file, lora, reference: place }) {
  const reference = JSON.parse(readFileSync(join(place, 'reference.json'), 'utf8'));
  const model = await llama.loadModel({ modelPath: file, useMmap: false });
  const problems = lora === null ? differences(model, reference) : [];
  const context = await model.createContext({
    contextSize: 128,
    threads,
    flashAttention: false,
    ...{ experimentalKvCacheKeyType: 'F32', experimentalKvCacheValueType: 'F32' },
    ...(lora === null ? {} : { lora: { adapters: [{ filePath: lora }] } }),
  });
  const found = await compared(context.getSequence(), reference, join(place, 'logprobs.bin'));
  await context.dispose();
  await model.dispose();
  return { ...found, problem: problems.join('; ') || null };
}

/** Of ids, ends and template. */
function differences(model, { texts, ends, template, composes }) {
  const problems = [];
  // It doesn't compose characters itself; the certificate says so.
  const idsOf = text => model.tokenize(composes ? text.normalize('NFC') : text, true);
  const wrong = texts.find(({ text, ids }) => idsOf(text).join() !== ids.join());
  if (wrong)
    problems.push(`ids of ${JSON.stringify(wrong.text.slice(0, 40))}: ${idsOf(wrong.text)} instead of ${wrong.ids}`);
  const missing = ends.filter(id => !model.isEogToken(id));
  if (missing.length > 0) problems.push(`doesn't end at ${missing}`);
  const written = model.fileInfo.metadata.tokenizer?.chat_template ?? null;
  if (typeof written === 'object' ? written?.default !== template : written !== template)
    problems.push('another template');
  return problems;
}

/**
 * Mean KL(reference || file) over the tokens of all rows, in nats, and the tokens of greedy answers for which the file has another: one that the
 * reference itself finds less likely by more than rounding can explain.
 */
async function compared(sequence, { rows, answers, vocab }, file) {
  const bytes = readFileSync(file);
  const expected = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  let sum = 0;
  let others = 0;
  let at = 0;
  for (const [i, row] of rows.entries()) {
    const answer = answers.find(each => each.row === i);
    await sequence.clearHistory();
    const found = await sequence.controlledEvaluate(row.map(id => [id, { generateNext: { probabilities: true } }]));
    for (const [position, { next }] of found.entries()) {
      const own = expected.subarray(at, at + vocab);
      let [best, most] = [0, -1];
      for (let id = 0; id < vocab; id++) {
        const probability = next.probabilities.get(id) ?? 0;
        if (probability > most) [best, most] = [id, probability];
        if (own[id] > -30) sum += Math.exp(own[id]) * (own[id] - Math.log(Math.max(probability, 1e-30)));
      }
      const isAnswer = answer && position >= answer.from - 1 && position < row.length - 1;
      if (isAnswer && own[row[position + 1]] - own[best] > 1e-3) others++;
      at += vocab;
    }
  }
  return { kl: Math.max(0, sum / rows.flat().length), others };
}
