// `npm run load -- server [seconds [clients]]`: a minute of 16 clients on one server (embedded model, base, adapters of several methods and
// mixtures in turn, some streaming, some going away). Then each question is asked again alone, of a fresh server: no answer may have
// got tokens of another. Fails on a log-probability that differs by more than 1e-3, and on memory that keeps growing.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import OpenAI from 'openai';

const [seconds = 60, clients = 16] = process.argv.slice(2).map(Number);
const TOLERANCE = 1e-3;
/** Two tokens whose log-probabilities are this close may change places, and the rest of the answer with them. */
const TIE = 5e-3;
const MAX_GROWTH = 1.15;

const root = fileURLToPath(new URL('../..', import.meta.url));
const bin = join(root, 'extension/bin/tunewright.mjs');
const folder = mkdtempSync(join(tmpdir(), 'tunewright-load-'));

const METHODS = {
  low: { peft_type: 'LORA', r: 4 },
  high: { peft_type: 'LORA', r: 8, target_modules: 'all-linear' },
  prompt: { peft_type: 'PROMPT_TUNING' },
  prefix: { peft_type: 'PREFIX_TUNING' },
  ia3: { peft_type: 'IA3' },
};
const adapters = Object.entries(METHODS).map(([name, method], seed) => {
  const file = join(folder, `${name}.json`);
  writeFileSync(
    file,
    JSON.stringify({
      name,
      model: 'embedded:tiny',
      dataset: { train: join(root, 'media/datasets/pirate.messages.jsonl'), max_length: 64 },
      method,
      training: { max_steps: 4, learning_rate: 0.02, seed },
    }),
  );
  execFileSync(process.execPath, [bin, 'train', file, '--out', join(folder, name)], { stdio: 'ignore' });
  return `${name}=${join(folder, name, 'adapter')}`;
});

const NAMES = ['base', ...Object.keys(METHODS), 'low:0.5+high:0.5', 'low:1.5'];
const PROMPTS = ['What is a cloud?', 'Where do bears sleep?', 'Tell me a short story about an owl.', 'Hi!'];
const questions = NAMES.flatMap(model =>
  PROMPTS.flatMap(content => [
    { model, content, temperature: 0, seed: 1 },
    { model, content, temperature: 1, seed: 7 },
  ]),
);

function start() {
  const child = spawn(
    process.execPath,
    [bin, 'serve', '--model', 'embedded:tiny', '--json', '--adapter', ...adapters],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const ended = new Promise(resolve => child.once('exit', resolve));
  return new Promise((resolve, reject) => {
    createInterface(child.stdout).once('line', line => {
      const { url } = JSON.parse(line);
      const stop = () => (child.kill('SIGTERM'), ended);
      resolve({ url, stop, client: new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none' }) });
    });
    child.once('error', reject);
  });
}

/** The tokens of an answer with log-probabilities and the likeliest alternatives. */
async function ask({ client }, { model, content, temperature, seed }, { stream = false, leave = false } = {}) {
  const request = {
    ...{ model, temperature, seed, max_tokens: 40, logprobs: true, top_logprobs: 2, stream },
    messages: [{ role: 'user', content }],
  };
  const answer = await client.chat.completions.create(request);
  if (!stream) return answer.choices[0].logprobs.content;
  const tokens = [];
  for await (const { choices } of answer) {
    tokens.push(...(choices[0]?.logprobs?.content ?? []));
    if (leave && tokens.length > 3) return null;
  }
  return tokens;
}

const rssOf = async ({ url }) =>
  Number(/^tunewright_resident_memory_bytes (.*)$/m.exec(await (await fetch(`${url}/metrics`)).text())[1]);

const loaded = await start();
const seen = [];
const memory = [];
const began = performance.now();
const left = () => began + seconds * 1000 - performance.now();
let asked = 0;
const sampler = setInterval(() => void rssOf(loaded).then(bytes => memory.push(bytes)), 1000);
await Promise.all(
  Array.from({ length: clients }, async () => {
    while (left() > 0) {
      const number = asked++;
      const question = questions[(number * 29) % questions.length];
      const tokens = await ask(loaded, question, { stream: number % 2 === 0, leave: number % 10 === 0 });
      if (tokens) seen.push({ question, tokens });
    }
  }),
);
clearInterval(sampler);
const tokensPerSecond = seen.reduce((sum, { tokens }) => sum + tokens.length, 0) / seconds;
const firstExit = await loaded.stop();

const alone = await start();
const expected = new Map();
for (const question of questions) expected.set(question, await ask(alone, question));
const secondExit = await alone.stop();
rmSync(folder, { recursive: true });

let worst = 0;
let ties = 0;
const wrong = [];
for (const { question, tokens } of seen) {
  const right = expected.get(question);
  for (const [i, token] of tokens.entries()) {
    const other = right[i];
    const gap = other ? other.top_logprobs[0].logprob - other.top_logprobs[1].logprob : Infinity;
    if (token.token !== other?.token) {
      // A drawn token may change wherever its draw is at the border of two tokens: it is only counted.
      if (question.temperature === 0 && gap > TIE) wrong.push({ question, i, token: token.token, right: other?.token });
      ties++;
      break;
    }
    worst = Math.max(worst, Math.abs(token.logprob - other.logprob));
  }
}
const third = Math.max(1, Math.floor(memory.length / 3));
const peak = part => Math.max(...part) / 1e6;
const [early, late] = [peak(memory.slice(third, 2 * third)), peak(memory.slice(-third))];
console.log(
  [
    `${seen.length} answers of ${clients} clients in ${seconds} s, ${Math.round(tokensPerSecond)} tokens/s`,
    `log-probabilities differ from those alone by ${worst.toExponential(1)} at most; ${ties} answers parted at a draw or a tie`,
    `memory ${Math.round(early)} MB at most in the second third, ${Math.round(late)} MB in the last`,
    `exit codes ${firstExit}, ${secondExit}`,
    ...wrong.slice(0, 5).map(each => `wrong: ${JSON.stringify(each)}`),
  ].join('\n'),
);
const isGood =
  wrong.length === 0 &&
  worst <= TOLERANCE &&
  late <= early * MAX_GROWTH &&
  ties < seen.length / 5 &&
  !firstExit &&
  !secondExit;
process.exit(isGood ? 0 : 1);
