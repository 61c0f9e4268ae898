// The bench's decoding row: one answer by `tunewright generate`, by Transformers and by llama.cpp, each in a separate process, with
// all cores, float32 and a key/value cache.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { answerOf } from './ours.mjs';
import { median } from './report.mjs';

const PROMPT = 'Write a short story about a lighthouse keeper who finds a letter in a bottle.';
/** Length of an answer that is short enough to show the time to compile graphs. */
const SHORT = 20;

/**
 * @typedef {object} Decoded
 * @property {number} tokensPerSecond of the median token, without the first
 * @property {number} firstTokenMs including the prompt
 * @property {number} shortMs of a whole answer with SHORT tokens
 * @property {number} wholeTokensPerSecond of the whole long answer
 */

/** @returns {Decoded} */
export function decodeOurs({ model, tokens }) {
  const answer = count =>
    answerOf('generate', '--model', model, '--prompt', PROMPT, '--max-new-tokens', String(count)).answers[0];
  const [short, long] = [answer(SHORT), answer(tokens)];
  return {
    tokensPerSecond: 1000 / long.median_token_ms,
    firstTokenMs: long.first_token_ms,
    shortMs: (1000 * short.num_tokens) / short.tokens_per_second,
    wholeTokensPerSecond: long.tokens_per_second,
  };
}

/** The prompt's ids in `tunewright generate`: one turn of a chat. */
async function promptIds(model) {
  const { Tokenizer } = await import('@huggingface/tokenizers');
  const { renderChat } = await import('../../extension/scripts/embedded/chatTemplate.mjs');
  const json = file => JSON.parse(readFileSync(join(model, file), 'utf8'));
  const tokenizer = new Tokenizer(json('tokenizer.json'), json('tokenizer_config.json'));
  const text = `${renderChat([{ role: 'user', content: PROMPT }])}<|im_start|>assistant\n`;
  return tokenizer.encode(text, { add_special_tokens: false }).ids;
}

/**
 * @param {string} python with the packages that `script` imports
 * @param {'decode_transformers.py' | 'decode_llama.py'} script prints the times of its tokens
 * @param {string} file the model to load
 * @returns {Promise<Decoded>}
 */
export async function decodePeer(python, script, file, { model, tokens }) {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const job = JSON.stringify({ model: file, prompt_ids: await promptIds(model), tokens });
  const child = spawn(python, [path, job], { cwd: dirname(path), stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve, reject) => child.on('error', reject).on('close', resolve));
  let output = '';
  for await (const chunk of child.stdout) output += chunk;
  if ((await ended) !== 0) throw new Error(`${script} failed`);
  /** Milliseconds since the start, for each token. */
  const moments = JSON.parse(output.trim().split('\n').at(-1));
  return {
    tokensPerSecond: 1000 / median(moments.slice(1).map((moment, i) => moment - moments[i])),
    firstTokenMs: moments[0],
    shortMs: moments[SHORT - 1],
    wholeTokensPerSecond: (1000 * moments.length) / moments.at(-1),
  };
}
