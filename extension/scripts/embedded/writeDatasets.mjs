// Writes the bundled example datasets of media/datasets, one per format. Run by hand after a change here or in media/corpus/; the
// outputs are committed, and a test checks that they are up to date.
// Usage: node writeDatasets.mjs [FOLDER]
import { Tokenizer } from '@huggingface/tokenizers';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { renderChat, turnEnd, turnStart } from './chatTemplate.mjs';
import { factGroups } from '../../../media/corpus/facts.mjs';
import { tellStory } from '../../../media/corpus/stories.mjs';
import { haikuRows } from './datasets/haiku.mjs';
import { instructionRows } from './datasets/instructions.mjs';
import { pirateRows } from './datasets/pirate.mjs';
import { supportToneRows } from './datasets/supportTone.mjs';
import { createRandom } from './random.mjs';

const SEED = 7;
const STORY_COUNT = 40;
const FACT_COUNT = 48;
const TOKENIZED_COUNT = 32;
const PREFERENCE_COUNT = 24;

const inRepository = relative => fileURLToPath(new URL(`../../../${relative}`, import.meta.url));

/** @param {object[]} rows */
const jsonLines = rows => rows.map(row => `${JSON.stringify(row)}\n`).join('');

/** @param {string} cell */
const csvCell = cell => (/[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);

/** @param {object[]} rows */
const csv = rows =>
  [Object.keys(rows[0]), ...rows.map(row => Object.values(row))]
    .map(cells => `${cells.map(csvCell).join(',')}\n`)
    .join('');

/** Plain questions and answers, with loss on the answer only. @param {import('./random.mjs').Random} random */
const factRows = random =>
  random.sample(Object.values(factGroups).flat(), FACT_COUNT).map(({ questions, answers }) => ({
    prompt: `Question: ${questions[0]}\nAnswer:`,
    completion: ` ${answers[0]}`,
  }));

/** Pairs of a right answer and one to another question. @param {import('./random.mjs').Random} random */
function preferenceRows(random) {
  const facts = random.sample(factGroups.general, PREFERENCE_COUNT);
  const answer = content => [{ role: 'assistant', content }];
  return facts.map(({ questions, answers }, i) => ({
    prompt: [{ role: 'user', content: questions[0] }],
    chosen: answer(answers[0]),
    rejected: answer(facts[(i + 1) % facts.length].answers[0]),
  }));
}

/** Chats as token ids of the embedded model; -100 where no loss is taken. @param {import('./random.mjs').Random} random */
function tokenizedRows(random) {
  const read = name => JSON.parse(readFileSync(inRepository(`media/models/tiny/${name}`), 'utf8'));
  const tokenizer = new Tokenizer(read('tokenizer.json'), read('tokenizer_config.json'));
  return random.sample(factGroups.general, TOKENIZED_COUNT).map(({ questions, answers }) => {
    const prompt = tokenizer.encode(
      `${renderChat([{ role: 'user', content: questions[0] }])}${turnStart}assistant\n`,
    ).ids;
    const answer = tokenizer.encode(`${answers[0]}${turnEnd}`).ids;
    return { input_ids: [...prompt, ...answer], labels: [...prompt.map(() => -100), ...answer] };
  });
}

/** @returns {Record<string, string>} file name to content */
export function datasetFiles() {
  // Each has its own generator, so that a change to one does not affect the others.
  const randomFor = number => createRandom(SEED * 1000 + number);
  const pirate = pirateRows(randomFor(1));
  const instructions = instructionRows(randomFor(2));
  const stories = Array.from(
    { length: STORY_COUNT },
    (random => () => ({ text: tellStory(random).sentences.join(' ') }))(randomFor(3)),
  );
  return {
    'pirate.messages.jsonl': jsonLines(pirate.train),
    'pirate.validation.jsonl': jsonLines(pirate.validation),
    'instructions.messages.jsonl': jsonLines(instructions.train),
    'instructions.validation.jsonl': jsonLines(instructions.validation),
    'support-tone.alpaca.jsonl': jsonLines(supportToneRows()),
    'haiku.sharegpt.json': `${JSON.stringify(haikuRows(), null, 2)}\n`,
    'stories.text.jsonl': jsonLines(stories),
    'facts.csv': csv(factRows(randomFor(4))),
    'facts.preference.jsonl': jsonLines(preferenceRows(randomFor(6))),
    'questions.tokenized.jsonl': jsonLines(tokenizedRows(randomFor(5))),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = process.argv[2] ?? inRepository('media/datasets');
  mkdirSync(folder, { recursive: true });
  for (const [name, content] of Object.entries(datasetFiles())) writeFileSync(path.join(folder, name), content);
}
