// The bench's decoding row: one answer by `tunewright generate`, by Transformers and by llama.cpp, each in a process of its
// own, every core, float32 and a key/value cache for all.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { answerOf } from './ours.mjs';
import { median } from './report.mjs';

const PROMPT = 'Write a short story about a lighthouse keeper who finds a letter in a bottle.';
/** An answer whose length the time of making graphs shows in. */
const SHORT = 20;

/**
 * @typedef {object} Decoded
 * @property {number} tokensPerSecond of the median token, the first left out
 * @property {number} firstTokenMs from the prompt's start
 * @property {number} shortMs a whole answer of SHORT tokens
 * @property {number} wholeTokensPerSecond of the long answer, everything included
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

/** The ids that `tunewright generate` makes of the prompt: one turn of a chat. */
async function promptIds(model) {
  const { Tokenizer } = await import('@huggingface/tokenizers');
  const { renderChat } = await import('../../extension/scripts/embedded/chatTemplate.mjs');
  const json = file => JSON.parse(readFileSync(join(model, file), 'utf8'));
  const tokenizer = new Tokenizer(json('tokenizer.json'), json('tokenizer_config.json'));
  const text = `${renderChat([{ role: 'user', content: PROMPT }])}<|im_start|>assistant\n`;
  return tokenizer.encode(text, { add_special_tokens: false }).ids;
}

/**
 * @param {string} python one that has what `script` imports
 * @param {'decode_transformers.py' | 'decode_llama.py'} script prints the moments of its tokens
 * @param {string} file what it loads
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
  /** Milliseconds since the prompt's start, a token each. */
  const moments = JSON.parse(output.trim().split('\n').at(-1));
  return {
    tokensPerSecond: 1000 / median(moments.slice(1).map((moment, i) => moment - moments[i])),
    firstTokenMs: moments[0],
    shortMs: moments[SHORT - 1],
    wholeTokensPerSecond: (1000 * moments.length) / moments.at(-1),
  };
}
