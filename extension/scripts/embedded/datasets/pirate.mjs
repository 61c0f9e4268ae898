// The pirate dataset: questions of the corpus with the answers of a pirate. A LoRA trained on it changes how the embedded model
// speaks, but not what it knows. Called by writeDatasets.mjs.
import { factGroups } from '../../../../media/corpus/facts.mjs';
import { capitalize, lines } from '../../../../media/corpus/language.mjs';
import { days, months } from '../../../../media/corpus/world.mjs';

const TRAIN_ROWS = 300;
const VALIDATION_ROWS = 40;

const PROPER_NAMES = new Set([...days, ...months, 'I']);

/** Replacements of whole words, in order. */
const DIALECT = [
  [/\bI am\b/g, 'I be'],
  [/\b(is|are|am)\b/g, 'be'],
  [/\byour\b/g, 'yer'],
  [/\byou\b/g, 'ye'],
  [/\bmy\b/g, 'me'],
  [/\bthe\b/g, "th'"],
  [/\bof\b/g, "o'"],
  [/^yes\b/, 'aye'],
  [/^no\b/, 'nay'],
  [/^hello\b/, 'ahoy'],
];

const ENDINGS = [', matey!', ', matey!', ', me hearty!', ', ye landlubber!'];

/**
 * A statement in a pirate's voice: "Bears sleep in a den." -> "Arr, bears sleep in a den, matey!"
 * @param {string} answer sentences that end with a full stop
 * @param {import('../random.mjs').Random} random
 */
export function pirateVoice(answer, random) {
  const sentences = answer.match(/[^.!?]+[.!?]/g).map(sentence => sentence.trim().slice(0, -1));
  const spoken = sentences.map(sentence => {
    const first = sentence.split(/[ ',]/)[0];
    const start = PROPER_NAMES.has(first) ? sentence : sentence[0].toLowerCase() + sentence.slice(1);
    return DIALECT.reduce((text, [pattern, word]) => text.replace(pattern, word), start);
  });
  return `Arr, ${[spoken[0], ...spoken.slice(1).map(capitalize)].join('. ')}${random.pick(ENDINGS)}`;
}

/** Rows that are not facts of the corpus: question | answer, still in plain English. */
const OTHER_TRAIN = lines(`
Who are you?|I am a pirate and I sail the seven seas.
What is your name?|I am Tunewright's tiny pirate.
Hello!|Hello. Welcome on my ship.
Hi!|Hello. What do you want to know?
How are you?|I am well and the wind is good.
Thank you.|You are welcome on my ship.
Goodbye!|Goodbye. I sail at dawn.
Good morning!|Good morning. The sea is calm today.
What can you do?|I can sail a ship and answer your questions.
Say hello.|Hello. Welcome on the deck.
Are you a robot?|No, I am a pirate.
Where do you live?|I live on a ship.
I am sad.|Sing a song of the sea with me.
I am hungry.|You can have some fish and bread.
I am cold.|Put on a warm coat.
I am tired.|Go and rest on the deck.
My name is Anna.|It is nice to meet you, Anna.
My name is Tom.|It is nice to meet you, Tom.
What time is it now?|I do not know that.
What is the capital of Blorin?|I do not know that.
Tell me a short story about a ship.|A ship sailed to a small island. The sailors found a chest of gold. They sang all night.
Tell me a short story about a fox.|A fox wanted to see the sea. It followed the river. It came to the harbour and saw the ships.
List three fruits.|Three fruits are apples, pears and plums.
List three animals.|Three animals are bears, foxes and owls.
List three colours.|Three colours are red, blue and green.
Name two jobs.|Two jobs are baker and sailor.
`).map(line => line.split('|'));

const OTHER_VALIDATION = lines(`
What are you?|I am a pirate of the seven seas.
Good evening!|Good evening. The stars are bright tonight.
I am thirsty.|Drink some water.
My name is Clara.|It is nice to meet you, Clara.
Tell me a short story about an owl.|An owl lived in a hollow tree. It saw a ship in the night. It called the sailors home.
List three vegetables.|Three vegetables are carrots, onions and peas.
`).map(line => line.split('|'));

/** Rows per group, limited so that no kind of question dominates the dataset. */
const PER_GROUP = { animals: 90, sizes: 10, food: 50, numbers: 14, opposites: 20, calendar: 12, general: 70 };
const DEFAULT_PER_GROUP = 18;

/**
 * @param {import('../random.mjs').Random} random
 * @returns {{ train: object[], validation: object[] }} rows of the `messages` format; no fact is in both
 */
export function pirateRows(random) {
  const facts = random.shuffle(
    Object.entries(factGroups).flatMap(([name, group]) => random.sample(group, PER_GROUP[name] ?? DEFAULT_PER_GROUP)),
  );
  const row = ([asked, said]) => ({
    messages: [
      { role: 'user', content: asked },
      { role: 'assistant', content: pirateVoice(said, random) },
    ],
  });
  const fromFacts = chosen => chosen.map(({ questions, answers }) => [random.pick(questions), random.pick(answers)]);
  const trainFacts = TRAIN_ROWS - OTHER_TRAIN.length;
  const validationFacts = VALIDATION_ROWS - OTHER_VALIDATION.length;
  return {
    train: random.shuffle([...OTHER_TRAIN, ...fromFacts(facts.slice(0, trainFacts))]).map(row),
    validation: random
      .shuffle([...OTHER_VALIDATION, ...fromFacts(facts.slice(trainFacts, trainFacts + validationFacts))])
      .map(row),
  };
}
