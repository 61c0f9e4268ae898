// Rows of a skill that no model has before: three words are answered with their code words, by a fixed secret table. The table must be
// learnt from the rows and applied to combinations that none of them has. Used by test/claims; deterministic.

/** Words that are one token each for the embedded model. */
const WORDS = (
  'bear fox wolf rabbit mouse cat dog horse cow pig sheep goat lion tiger monkey owl ' +
  'duck hen goose eagle swan frog snake turtle shark bee ant table door window key coin'
).split(' ');
const WORDS_OF_A_ROW = 3;

/**
 * @param {import('../random.mjs').Random} random
 * @param {{ train: number, validation: number }} counts
 * @returns {{ train: object[], validation: object[] }} rows in the messages format; no prompt is in both, or twice in one
 */
export function codeWordRows(random, { train, validation }) {
  const codes = random.sample(WORDS, WORDS.length);
  const codeOf = new Map(WORDS.map((word, i) => [word, codes[i]]));
  const rows = new Map();
  while (rows.size < train + validation) {
    const words = random.sample(WORDS, WORDS_OF_A_ROW);
    const prompt = `Code: ${words.join(' ')}`;
    const answer = words.map(word => codeOf.get(word)).join(' ');
    const turn = (role, content) => ({ role, content });
    rows.set(prompt, { messages: [turn('user', prompt), turn('assistant', answer)] });
  }
  const all = [...rows.values()];
  return { train: all.slice(0, train), validation: all.slice(train) };
}
