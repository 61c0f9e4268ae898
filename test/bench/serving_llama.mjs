// Swaps a LoRA adapter and decodes several sequences with llama.cpp, and prints the times. Started by serving.mjs with a job (JSON). In
// node-llama-cpp an adapter belongs to a context: another adapter is another context.
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { median } from './report.mjs';

const { folder, gguf, lora, loads, tokens, swaps, prompt_ids: promptIds } = JSON.parse(process.argv[2]);
const library = pathToFileURL(join(folder, 'node_modules/node-llama-cpp/dist/index.js')).href;
const { getLlama, LlamaLogLevel } = await import(library);

const threads = availableParallelism();
const llama = await getLlama({ gpu: false, build: 'never', logLevel: LlamaLogLevel.error, maxThreads: threads });
const model = await llama.loadModel({ modelPath: gguf });
const contextSize = promptIds[0].length + tokens + 1;
const open = (sequences, adapter) =>
  model.createContext({
    ...{ sequences, contextSize, batchSize: sequences * contextSize, threads },
    ...(adapter ? { lora: { adapters: [{ filePath: adapter }] } } : {}),
  });

async function answer(sequence, ids, count) {
  await sequence.clearHistory();
  let read = 0;
  for await (const _ of sequence.evaluate(ids, { temperature: 0, yieldEogToken: true })) if (++read === count) break;
}

async function timed(act) {
  const began = performance.now();
  const result = await act();
  return [performance.now() - began, result];
}

const [ids] = promptIds;
const [added, same, swapped] = [[], [], []];
for (let i = 0; i < swaps; i++) {
  const [addMs, context] = await timed(() => open(1, lora));
  const sequence = context.getSequence();
  const [firstMs] = await timed(() => answer(sequence, ids, 1));
  const [sameMs] = await timed(() => answer(sequence, ids, 1));
  await context.dispose();
  added.push(addMs);
  swapped.push(addMs + firstMs);
  same.push(sameMs);
}
const firstTokenMs = median(same);
const LORA = { addMs: median(added), swapMs: median(swapped) - firstTokenMs, firstTokenMs };

const speeds = {};
for (const { id, sequences: count, adapters } of loads) {
  const context = await open(count, adapters === 'same' ? lora : undefined);
  const sequences = promptIds.slice(0, count).map(() => context.getSequence());
  const once = () => Promise.all(sequences.map((sequence, i) => answer(sequence, promptIds[i], tokens)));
  await once();
  const [ms] = await timed(once);
  speeds[id] = (1000 * count * tokens) / ms;
  await context.dispose();
}
console.log(JSON.stringify({ swaps: { LORA }, speeds }));
process.exit();
