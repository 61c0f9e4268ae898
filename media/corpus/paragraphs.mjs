// Plain text without chat marks: stories, stories with questions, facts about one subject, short dialogues.
// Used by writeCorpus.mjs.
import { factGroups, factWeights } from './facts.mjs';
import { capitalize, withArticle } from './language.mjs';
import { tellForQuestions, tellStory } from './stories.mjs';
import { animals, belongings, people, places, plantFoods, spots, weathers } from './world.mjs';

/** @typedef {import('../../extension/scripts/embedded/random.mjs').Random} Random */

/** @param {Random} random */
function story(random) {
  const { sentences, key } = tellStory(random);
  return { text: sentences.join(' '), key };
}

/** @param {Random} random */
function storyWithQuestions(random) {
  const { sentences, questions, key } = tellForQuestions(random);
  const asked = random.sample(questions, random.pick([1, 2, 3]));
  const dialogue = asked.map(({ question, answers }) => `Question: ${question}\nAnswer: ${random.pick(answers)}`);
  return { text: [sentences.join(' '), ...dialogue].join('\n'), key };
}

const subjects = new Map();
for (const fact of [
  ...factGroups.animals,
  ...factGroups.food,
  ...factGroups.jobs,
  ...factGroups.weather,
  ...factGroups.vehicles,
]) {
  if (!/^(is|can|who|before)/.test(fact.relation))
    subjects.set(fact.subject, [...(subjects.get(fact.subject) ?? []), fact]);
}
const subjectNames = [...subjects.keys()];

/** "A bear is brown." after another sentence about bears is "It is brown." @param {string} sentence @param {string} subject */
const withPronoun = (sentence, subject) =>
  sentence.startsWith(`${capitalize(subject)} `)
    ? sentence.replace(capitalize(subject), /s$|mice|geese|sheep/.test(subject) ? 'They' : 'It')
    : sentence.replace(/^An? (?!baby|young)[a-z]+ (?=[a-z]+)/, 'It ');

/** @param {Random} random */
function factsAboutOne(random) {
  const subject = random.pick(subjectNames);
  const facts = random.sample(subjects.get(subject), 2 + random.int(4));
  const form = random.int(2);
  const sentences = facts.map(({ answers }) => answers[form % answers.length]);
  return {
    text: sentences.map((sentence, i) => (i > 0 ? withPronoun(sentence, subject) : sentence)).join(' '),
    key: `about ${subject} ${facts.map(({ relation }) => relation).join(' ')}`,
  };
}

const groupNames = Object.keys(factGroups).flatMap(name => Array(factWeights[name]).fill(name));

/** @param {Random} random */
function mixedFacts(random) {
  const facts = Array.from({ length: 2 + random.int(4) }, () => random.pick(factGroups[random.pick(groupNames)]));
  const sentences = facts
    .map(({ answers }) => random.pick(answers))
    .filter(sentence => !/^(Yes|No|It|Because|They)\b/.test(sentence));
  return sentences.length ? { text: sentences.join(' '), key: sentences.join(' ') } : mixedFacts(random);
}

/** @param {Random} random */
function dialogue(random) {
  const [one, two] = random.sample(people, 2);
  const place = random.pick(places);
  const food = random.pick(plantFoods);
  const thing = random.pick(belongings);
  const animal = random.pick(animals);
  const spot = random.pick(spots);
  const weather = random.pick(weathers);
  const lines = random.pick([
    [
      `"Where are you going?" asked ${one.name}.`,
      `"I am going to ${place.name}," said ${two.name}.`,
      `"What will you do there?"`,
      `"I want to ${place.do}."`,
      `"May I come with you?" asked ${one.name}.`,
      `"Yes, of course," said ${two.name}.`,
    ],
    [
      `"Are you hungry?" asked ${one.name}.`,
      `"Yes, I am very hungry," said ${two.name}.`,
      `"I have some ${food.plural}."`,
      `"Thank you. I like ${food.plural} because they taste ${food.taste}."`,
    ],
    [
      `"Have you seen my ${thing}?" asked ${one.name}.`,
      `"Yes," said ${two.name}. "It is ${spot}."`,
      `"Thank you," said ${one.name} and went to get it.`,
    ],
    [
      `"Look, there is ${withArticle(animal.name)}!" said ${one.name}.`,
      `"What does it eat?" asked ${two.name}.`,
      `"It eats ${animal.food}," said ${one.name}.`,
      `"And where does it sleep?"`,
      `"It sleeps ${animal.sleep}."`,
    ],
    [
      `"What is the weather like?" asked ${one.name}.`,
      `"It is ${weather.adjective}," said ${two.name}.`,
      `"Then I will wear ${weather.wear}."`,
      `"And I will ${weather.do}," said ${two.name}.`,
    ],
    [
      `"Can you help me?" asked ${one.name}.`,
      `"Yes. What is the matter?" said ${two.name}.`,
      `"My ${thing} is broken."`,
      `"Do not worry. We can mend it," said ${two.name}.`,
      `${capitalize(two.she)} mended it, and ${one.name} was happy.`,
    ],
  ]);
  return { text: lines.join(random.chance(0.5) ? ' ' : '\n'), key: `dialogue ${one.name} ${two.name} ${lines[1]}` };
}

const kinds = [story, story, story, storyWithQuestions, storyWithQuestions, factsAboutOne, mixedFacts, dialogue];

/** One plain document. @param {Random} random @returns {{ text: string, key: string }} */
export const tellParagraph = random => random.pick(kinds)(random);
