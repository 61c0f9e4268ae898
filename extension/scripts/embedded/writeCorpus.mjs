// Writes the pretraining text of the embedded model: paragraphs and conversations about a small world, from this project's seeded
// grammar. Run by make.mjs; the output is not committed, since the seed reproduces it.
// Usage: node writeCorpus.mjs FOLDER [DOCUMENTS] [SEED]
import { createWriteStream, mkdirSync } from 'node:fs';
import { finished } from 'node:stream/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { renderChat } from './chatTemplate.mjs';
import { holdChat } from '../../../media/corpus/chats.mjs';
import { tellParagraph } from '../../../media/corpus/paragraphs.mjs';
import { createRandom, hashText } from './random.mjs';

/** About one of this number of slot combinations is excluded from the training rows. */
const HELD_OUT_ONE_IN = 40;
const VALIDATION_ROWS = 500;
/** Share of conversations; the other documents are plain text. */
const CHAT_SHARE = 0.8;

/** @param {string[]} keys */
const isHeldOut = keys => keys.some(key => hashText(key) % HELD_OUT_ONE_IN === 0);

/**
 * An endless sequence of rows. Chats are rendered with the model's chat template.
 * @param {number} seed
 * @returns {Generator<{ text: string, heldOut: boolean }, never>}
 */
export function* generateRows(seed) {
  const random = createRandom(seed);
  for (;;) {
    if (random.chance(CHAT_SHARE)) {
      const { messages, keys } = holdChat(random);
      // The engine adds the end-of-turn token to every text, so a chat must not end with white space.
      yield { text: renderChat(messages).trimEnd(), heldOut: isHeldOut(keys) };
    } else {
      const { text, key } = tellParagraph(random);
      yield { text, heldOut: isHeldOut([key]) };
    }
  }
}

/**
 * @param {string} folder for train.jsonl and validation.jsonl, in the `text` format
 * @param {number} documents training rows
 * @param {number} seed
 */
export async function writeCorpus(folder, documents, seed) {
  mkdirSync(folder, { recursive: true });
  const files = { train: open(folder, 'train.jsonl'), validation: open(folder, 'validation.jsonl') };
  let left = { train: documents, validation: VALIDATION_ROWS };
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
