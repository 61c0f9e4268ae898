// Writes the text that the embedded model is pretrained on: plain paragraphs and conversations about a small world, by a
// seeded grammar of this project's own. Run by make.mjs; the output is not committed, the seed reproduces it.
// Usage: node writeCorpus.mjs FOLDER [DOCUMENTS] [SEED]
import { createWriteStream, mkdirSync } from 'node:fs';
import { finished } from 'node:stream/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { renderChat } from './chatTemplate.mjs';
import { holdChat } from '../../../media/corpus/chats.mjs';
import { tellParagraph } from '../../../media/corpus/paragraphs.mjs';
import { createRandom, hashText } from './random.mjs';

/** About one in so many slot combinations is kept out of the training rows altogether. */
const heldOutOneIn = 40;
const validationRows = 500;
/** Share of documents that are conversations; the rest is plain text. */
const chatShare = 0.8;

/** @param {string[]} keys */
const isHeldOut = keys => keys.some(key => hashText(key) % heldOutOneIn === 0);

/**
 * Rows of the corpus in order, without end. Chats stand there as the model's chat template renders them.
 * @param {number} seed
 * @returns {Generator<{ text: string, heldOut: boolean }, never>}
 */
export function* generateRows(seed) {
  const random = createRandom(seed);
  for (;;) {
    if (random.chance(chatShare)) {
      const { messages, keys } = holdChat(random);
      // as the engine ends every text with the end-of-turn token, a chat ends there too
      yield { text: renderChat(messages).trimEnd(), heldOut: isHeldOut(keys) };
    } else {
      const { text, key } = tellParagraph(random);
      yield { text, heldOut: isHeldOut([key]) };
    }
  }
}

/**
 * @param {string} folder gets train.jsonl and validation.jsonl, rows of the `text` format
 * @param {number} documents training rows
 * @param {number} seed
 */
export async function writeCorpus(folder, documents, seed) {
  mkdirSync(folder, { recursive: true });
  const files = { train: open(folder, 'train.jsonl'), validation: open(folder, 'validation.jsonl') };
  let left = { train: documents, validation: validationRows };
  for (const { text, heldOut } of generateRows(seed)) {
    const name = heldOut ? 'validation' : 'train';
    if (left[name] > 0) {
      left = { ...left, [name]: left[name] - 1 };
      if (!files[name].write(`${JSON.stringify({ text })}\n`))
        await new Promise(resolve => files[name].once('drain', resolve));
    }
    if (left.train === 0 && left.validation === 0) break;
  }
  await Promise.all(Object.values(files).map(file => finished(file.end())));
}

const open = (folder, name) => createWriteStream(path.join(folder, name));

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [folder, documents = '130000', seed = '1'] = process.argv.slice(2);
  if (!folder) {
    console.error('Usage: node writeCorpus.mjs FOLDER [DOCUMENTS] [SEED]');
    process.exit(2);
  }
  await writeCorpus(folder, Number(documents), Number(seed));
}
