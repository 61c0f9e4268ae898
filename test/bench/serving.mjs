// The bench's serving row: adapters swapped on one base, and several sequences at once, by `tunewright session`, by Transformers with
// PEFT and by llama.cpp (node-llama-cpp), each in a separate process, with all cores and float32.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createMessageConnection, StreamMessageReader, StreamMessageWriter } from 'vscode-jsonrpc/node';
import { once, rowsFile } from './materials.mjs';
import { answerOf, program, runFile } from './ours.mjs';
import { median } from './report.mjs';

const PROMPT = 'Write a short story about a lighthouse keeper who finds a letter in a bottle.';
/** First tokens with another adapter than before, and as many with the same. */
const SWAPS = 32;
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';

/**
 * @typedef {object} Swap the medians of one method
 * @property {number} addMs an adapter from disk
 * @property {number} swapMs time to the first token with another adapter than before, less that with the same
 * @property {number} firstTokenMs with the same adapter as before
 *
 * @typedef {object} Served
 * @property {Record<string, Swap>} swaps by method
 * @property {Record<string, number>} speeds tokens per second of whole answers, by id of a load
 */

/** Trains an adapter of each method for a step. @returns {Promise<Record<string, string>>} folders by method */
export async function trainedAdapters({ methods, model: name }, model, materials) {
  const rows = await rowsFile({ count: 1, length: 16 }, materials);
  const folders = {};
  for (const [id, method] of Object.entries(methods)) {
    const out = await once(join(materials, `${name}-${id.toLowerCase()}`), partial => {
      mkdirSync(partial, { recursive: true });
      const file = join(partial, 'bench.tune.json');
      const training = { batchSize: 1, maxLength: 16, packing: false, epochs: 1, learningRate: 1e-3, compile: false };
      writeFileSync(file, JSON.stringify(runFile({ ...training, model, rows, method })));
      const train = spawnSync(process.execPath, [program, 'train', file, '--out', join(partial, 'run')], {
        stdio: ['ignore', 'ignore', 'pipe'],
        encoding: 'utf8',
      });
      if (train.status !== 0) throw new Error(`${id} could not be trained: ${train.stderr}`);
    });
    folders[id] = join(out, 'run', 'adapter');
  }
  return folders;
}

/** The adapter for llama.cpp. */
export function loraGguf({ model: name }, model, adapter, materials) {
  return once(join(materials, `${name}-lora.gguf`), partial => {
    answerOf('export', '--adapter', adapter, '--model', model, '--to', 'gguf', '--out', partial);
  });
}

/** Texts that begin differently, so that no keys and values of one serve another. */
function* differentPrompts() {
  for (let i = 0; ; i++) {
    const [first, second] = [LETTERS[i % LETTERS.length], LETTERS[Math.floor(i / LETTERS.length) % LETTERS.length]];
    yield `${first} ${second} ${PROMPT}`;
  }
}

/** @returns {Promise<Served>} */
export async function serveOurs({ model, adapters, loads, tokens }) {
  const child = spawn(process.execPath, [program, 'session'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise((resolve, reject) => child.on('error', reject).on('close', resolve));
  const connection = createMessageConnection(
    new StreamMessageReader(child.stdout),
    new StreamMessageWriter(child.stdin),
  );
  connection.listen();
  const ask = (name, params) => connection.sendRequest(name, params);
  const prompts = differentPrompts();
  const answer = async (name, count) => {
    const answered = await ask('generate', {
      prompt: prompts.next().value,
      adapters: name === null ? [] : [{ name }],
      sampling: { max_new_tokens: count },
    });
    if (answered.usage.completion_tokens !== count) throw new Error('an answer ended early');
    return answered;
  };
  const firstTokenMs = async name => (await answer(name, 1)).first_token_ms;
  const add = async (name, path) => {
    const began = performance.now();
    await ask('load_adapter', { name, path });
    return performance.now() - began;
  };
  try {
    const weights = { base_weights: 'float32', precision: 'float32', backend: 'tensorflow', threads: null };
    await ask('open', { model, folder: dirname(model), ...weights });
    const swaps = {};
    for (const [method, path] of Object.entries(adapters)) {
      const names = ['a', 'b'];
      const added = [];
      for (const name of names) {
        added.push(await add(name, path));
        await answer(name, tokens);
      }
      swaps[method] = { addMs: median(added), ...(await swapTimes(firstTokenMs, names)) };
      for (const name of names) await ask('unload_adapter', { name });
    }
    const most = Math.max(...loads.map(({ sequences }) => sequences));
    for (let i = 0; i < most; i++) await add(`${i}`, adapters.LORA);
    const speeds = {};
    for (const { id, sequences, adapters: which } of loads) {
      const once = () =>
        Promise.all(
          Array.from({ length: sequences }, (_, i) =>
            answer({ none: null, same: '0', different: `${i}` }[which], tokens),
          ),
        );
      await once();
      const began = performance.now();
      await once();
      speeds[id] = (1000 * sequences * tokens) / (performance.now() - began);
    }
    return { swaps, speeds };
  } finally {
    connection.end();
    child.stdin.end();
    await ended;
  }
}

/** @param {(name: string) => Promise<number>} firstTokenMs @param {string[]} names two adapters of a method */
async function swapTimes(firstTokenMs, names) {
  const [swapped, same] = [[], []];
  for (let i = 0; i < SWAPS; i++) {
    swapped.push(await firstTokenMs(names[i % 2]));
    same.push(await firstTokenMs(names[i % 2]));
  }
  return { swapMs: median(swapped) - median(same), firstTokenMs: median(same) };
}

/** Token ids of equally long prompts. */
async function promptIds(model, count) {
  const { Tokenizer } = await import('@huggingface/tokenizers');
  const json = file => JSON.parse(readFileSync(join(model, file), 'utf8'));
  const tokenizer = new Tokenizer(json('tokenizer.json'), json('tokenizer_config.json'));
  const prompts = differentPrompts();
  const ids = Array.from({ length: count }, () => tokenizer.encode(prompts.next().value).ids);
  const length = Math.min(...ids.map(each => each.length));
  return ids.map(each => each.slice(0, length));
}

/** The last line of a program's output. */
async function lastLine(command, args) {
  const child = spawn(command, args, {
    cwd: dirname(fileURLToPath(import.meta.url)),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve, reject) => child.on('error', reject).on('close', resolve));
  let output = '';
  for await (const chunk of child.stdout) output += chunk;
  if ((await ended) !== 0) throw new Error(`${args[0]} failed`);
  return JSON.parse(output.trim().split('\n').at(-1));
}

const script = name => fileURLToPath(new URL(name, import.meta.url));

async function peerJob({ model, loads, tokens }) {
  const most = Math.max(...loads.map(({ sequences }) => sequences));
  return { loads, tokens, swaps: SWAPS, prompt_ids: await promptIds(model, most) };
}

/** @param {string} python @param {object} job @returns {Promise<Served>} */
export async function servePeft(python, job) {
  const { SELECTIVE: _, BOTTLENECK_ADAPTER: __, ...adapters } = job.adapters;
  const asked = { ...(await peerJob(job)), model: job.model, adapters };
  return lastLine(python, [script('serving_peft.py'), JSON.stringify(asked)]);
}

/** @param {string} folder with node-llama-cpp @param {{ gguf: string, lora: string }} files @returns {Promise<Served>} */
export async function serveLlama(folder, files, job) {
  const asked = { ...(await peerJob(job)), ...files, folder };
  asked.loads = asked.loads.filter(({ adapters }) => adapters !== 'different');
  return lastLine(process.execPath, [script('serving_llama.mjs'), JSON.stringify(asked)]);
}
