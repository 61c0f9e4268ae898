// Everything that the small world holds to be true, as questions with several phrasings and answers with several
// phrasings. Used by chats.mjs for the corpus and by writeDatasets.mjs for the pirate data set.
import { generalFacts } from './generalFacts.mjs';
import { capitalize, thirdPerson, withArticle } from './language.mjs';
import {
  animals,
  bodyParts,
  causes,
  days,
  feelings,
  jobs,
  keptThings,
  madeFoods,
  materials,
  months,
  numbers,
  opposites,
  places,
  plantFoods,
  seasons,
  thingColours,
  tools,
  vehicles,
  weathers,
} from './world.mjs';

/**
 * @typedef {object} Fact
 * @property {string} subject what it is about, in the plural where there is one ("bears", "bread")
 * @property {string} relation which property of the subject ("sleep", "colour")
 * @property {string[]} questions phrasings of the one question
 * @property {string[]} answers phrasings of the one answer, each one a whole sentence
 */

/** @returns {Fact} */
const fact = (subject, relation, questions, answers) => ({ subject, relation, questions, answers });

/** @returns {Fact[]} */
function animalFacts(animal) {
  const { name, plural, kind, colour, sleep, habitat, food, sound, young, move, cover, legs, can } = animal;
  const one = withArticle(name);
  const One = capitalize(one);
  const Many = capitalize(plural);
  const facts = [
    fact(
      plural,
      'sleep',
      [
        `Where do ${plural} sleep?`,
        `Where does ${one} sleep?`,
        `Where does ${one} go to sleep?`,
        `Tell me where ${plural} sleep.`,
      ],
      [`${Many} sleep ${sleep}.`, `${One} sleeps ${sleep}.`],
    ),
    fact(
      plural,
      'habitat',
      [
        `Where do ${plural} live?`,
        `Where does ${one} live?`,
        `Where can I find ${one}?`,
        `In what place do ${plural} live?`,
      ],
      [`${Many} live ${habitat}.`, `${One} lives ${habitat}.`, `You can find ${plural} ${habitat}.`],
    ),
    fact(
      plural,
      'food',
      [
        `What do ${plural} eat?`,
        `What does ${one} eat?`,
        `What food do ${plural} like?`,
        `What can I give ${one} to eat?`,
      ],
      [`${Many} eat ${food}.`, `${One} eats ${food}.`, `${Many} like to eat ${food}.`],
    ),
    fact(
      plural,
      'colour',
      [`What colour is ${one}?`, `What colour are ${plural}?`, `Which colour does ${one} have?`],
      [`${One} is ${colour}.`, `${Many} are ${colour}.`],
    ),
    fact(
      plural,
      'move',
      [`How does ${one} move?`, `How do ${plural} move?`],
      [`${One} ${thirdPerson(move)}.`, `${Many} ${move}.`],
    ),
    fact(
      plural,
      'cover',
      [`What covers ${one}?`, `What are ${plural} covered with?`],
      [`${One} is covered with ${cover}.`, `${Many} are covered with ${cover}.`],
    ),
    fact(
      plural,
      'legs',
      [`How many legs does ${one} have?`, `How many legs do ${plural} have?`],
      [`${One} has ${legs} legs.`, `${Many} have ${legs} legs.`],
    ),
    fact(
      plural,
      'kind',
      [`What kind of animal is ${one}?`, `What is ${one}?`, `What are ${plural}?`],
      [`${One} is ${withArticle(kind)}.`, `${One} is ${withArticle(kind)} that lives ${habitat}.`],
    ),
    fact(
      plural,
      'sound',
      [`What sound does ${one} make?`, `What noise do ${plural} make?`, `What does ${one} sound like?`],
      [`${One} ${thirdPerson(sound)}.`, `${Many} ${sound}.`],
    ),
  ];
  if (young !== 'baby') {
    facts.push(
      fact(
        plural,
        'young',
        [`What is a baby ${name} called?`, `What do you call a young ${name}?`, `What is the name for a baby ${name}?`],
        [`A baby ${name} is called ${withArticle(young)}.`, `A young ${name} is called ${withArticle(young)}.`],
      ),
    );
  }
  const able = can.split(' ');
  for (const verb of ['fly', 'swim', 'climb']) {
    const yes = able.includes(verb) || move === verb;
    // most animals swim or climb a little, so a plain no is only true of flying
    if (!yes && verb !== 'fly') continue;
    facts.push(
      fact(
        plural,
        `can ${verb}`,
        [`Can ${one} ${verb}?`, `Can ${plural} ${verb}?`, `Is ${one} able to ${verb}?`],
        yes
          ? [`Yes, ${one} can ${verb}.`, `Yes, ${plural} can ${verb}.`]
          : [`No, ${one} cannot ${verb}.`, `No, ${plural} cannot ${verb}.`],
      ),
    );
  }
  return facts;
}

/** @returns {Fact[]} */
function plantFacts({ name, plural, kind, colour, taste, grows }) {
  const one = withArticle(name);
  const One = capitalize(one);
  const Many = capitalize(plural);
  const other = kind === 'fruit' ? 'vegetable' : 'fruit';
  return [
    fact(
      plural,
      'colour',
      [`What colour is ${one}?`, `What colour are ${plural}?`, `Which colour does ${one} have?`],
      [`${One} is ${colour}.`, `${Many} are ${colour}.`],
    ),
    fact(
      plural,
      'taste',
      [`What does ${one} taste like?`, `How do ${plural} taste?`, `How does ${one} taste?`],
      [`${One} tastes ${taste}.`, `${Many} taste ${taste}.`],
    ),
    fact(
      plural,
      'grows',
      [`Where does ${one} grow?`, `Where do ${plural} grow?`, `Where do ${plural} come from?`],
      [`${One} grows ${grows}.`, `${Many} grow ${grows}.`],
    ),
    fact(
      plural,
      'kind',
      [`What is ${one}?`, `What are ${plural}?`, `What kind of food is ${one}?`],
      [`${One} is a ${kind}.`, `${One} is a ${colour} ${kind}.`.replace(/\ba (?=[aeiou])/, 'an ')],
    ),
    fact(plural, 'is', [`Is ${one} a ${kind}?`, `Are ${plural} ${kind}s?`], [`Yes, ${one} is a ${kind}.`]),
    fact(plural, 'is not', [`Is ${one} a ${other}?`, `Are ${plural} ${other}s?`], [`No, ${one} is a ${kind}.`]),
  ];
}

/** @returns {Fact[]} */
function madeFoodFacts({ name, colour, taste, from }) {
  const Name = capitalize(name);
  return [
    fact(name, 'colour', [`What colour is ${name}?`, `Which colour does ${name} have?`], [`${Name} is ${colour}.`]),
    fact(name, 'taste', [`What does ${name} taste like?`, `How does ${name} taste?`], [`${Name} tastes ${taste}.`]),
    fact(
      name,
      'from',
      [`What is ${name} made from?`, `What do you need to make ${name}?`],
      [`${Name} is made from ${from}.`, `People make ${name} from ${from}.`],
    ),
  ];
}

/** @returns {Fact[]} */
function jobFacts({ name, does, where, uses }) {
  const one = withArticle(name);
  const One = capitalize(one);
  return [
    fact(
      name,
      'does',
      [`What does ${one} do?`, `What is the work of ${one}?`, `What is ${one}?`, `Tell me what ${one} does.`],
      [`${One} ${thirdPerson(does)}.`, `The work of ${one} is to ${does}.`],
    ),
    fact(name, 'where', [`Where does ${one} work?`, `Where can I find ${one}?`], [`${One} works ${where}.`]),
    fact(
      name,
      'uses',
      [`What does ${one} use?`, `What does ${one} need for the work?`],
      [`${One} uses ${uses}.`, `${One} works with ${uses}.`],
    ),
    fact(name, 'who', [`Who ${thirdPerson(does)}?`, `Whose job is it to ${does}?`], [`${One} ${thirdPerson(does)}.`]),
  ];
}

/** @returns {Fact[]} */
function toolFacts({ name, use }) {
  const one = withArticle(name);
  return [
    fact(
      name,
      'use',
      [`What is ${one} for?`, `What do you do with ${one}?`, `What can I do with ${one}?`, `Why do people use ${one}?`],
      [`You use ${one} to ${use}.`, `People use ${one} to ${use}.`, `${capitalize(one)} helps you to ${use}.`],
    ),
    fact(
      name,
      'which',
      [`What do I need to ${use}?`, `What do people use to ${use}?`, `I want to ${use}. What do I need?`],
      [`You need ${one} to ${use}.`, `You can use ${one} to ${use}.`],
    ),
  ];
}

/** @returns {Fact[]} */
const oppositeFacts = ([one, two]) =>
  [
    [one, two],
    [two, one],
  ].map(([word, opposite]) =>
    fact(
      word,
      'opposite',
      [
        `What is the opposite of ${word}?`,
        `Give me the opposite of ${word}.`,
        `Which word is the opposite of ${word}?`,
      ],
      [`The opposite of ${word} is ${opposite}.`],
    ),
  );

/** @returns {Fact[]} */
const materialFacts = ({ name, material }) => [
  fact(
    name,
    'material',
    [`What is ${withArticle(name)} made of?`, `Which material is ${withArticle(name)} made of?`],
    [`${capitalize(withArticle(name))} is made of ${material}.`],
  ),
];

/** @returns {Fact[]} */
const colourFacts = ({ name, verb, colour }) => [
  fact(
    name,
    'colour',
    [`What colour ${verb} ${name}?`, `What is the colour of ${name}?`, `Which colour does ${name} have?`],
    [`${capitalize(name)} ${verb} ${colour}.`],
  ),
];

/** @returns {Fact[]} */
const placeFacts = ({ name, at, do: action, see }) => [
  fact(
    name,
    'do',
    [`What can you do ${at}?`, `What do people do ${at}?`, `Why do people go to ${name}?`],
    [`People ${action} ${at}.`, `${capitalize(at)}, you can ${action}.`, `People go to ${name} to ${action}.`],
  ),
  fact(name, 'see', [`What can you see ${at}?`, `What is there to see ${at}?`], [`You can see ${see} ${at}.`]),
  fact(name, 'where to', [`Where can I ${action}?`, `Where should I go to ${action}?`], [`You can ${action} ${at}.`]),
];

/** @returns {Fact[]} */
function vehicleFacts({ name, where, wheels, who }) {
  const one = withArticle(name);
  const One = capitalize(one);
  return [
    fact(name, 'where', [`Where does ${one} go?`, `Where does ${one} travel?`], [`${One} travels ${where}.`]),
    fact(name, 'wheels', [`How many wheels does ${one} have?`], [`${One} has ${wheels} wheels.`]),
    fact(name, 'who', [`Who steers ${one}?`, `Who is in charge of ${one}?`], [`${capitalize(who)} steers ${one}.`]),
  ];
}

/** @returns {Fact[]} */
const weatherFacts = ({ name, adjective, happens, wear, do: action }) => [
  fact(
    adjective,
    'is',
    [`What happens when it is ${adjective}?`, `What is ${name} like?`],
    [`When it is ${adjective}, ${happens}.`],
  ),
  fact(
    adjective,
    'wear',
    [
      `What should I wear when it is ${adjective}?`,
      `What do people wear when it is ${adjective}?`,
      `It is ${adjective}. What should I wear?`,
    ],
    [`You should wear ${wear} when it is ${adjective}.`, `When it is ${adjective}, people wear ${wear}.`],
  ),
  fact(
    adjective,
    'do',
    [
      `What can I do when it is ${adjective}?`,
      `What do children do when it is ${adjective}?`,
      `It is ${adjective}. What can I do?`,
    ],
    [`When it is ${adjective}, you can ${action}.`, `You can ${action} when it is ${adjective}.`],
  ),
];

/** @returns {Fact[]} */
const seasonFacts = ({ name, after, feel, happens }) => [
  fact(
    name,
    'after',
    [`Which season comes after ${name}?`, `What comes after ${name}?`],
    [`${capitalize(after)} comes after ${name}.`],
  ),
  fact(name, 'before', [`Which season comes before ${after}?`], [`${capitalize(name)} comes before ${after}.`]),
  fact(
    name,
    'feel',
    [`What is the weather like in ${name}?`, `Is it warm in ${name}?`],
    [`In ${name}, the weather is ${feel}.`],
  ),
  fact(name, 'happens', [`What happens in ${name}?`, `What is ${name} like?`], [`In ${name}, ${happens}.`]),
];

/** @returns {Fact[]} */
function orderFacts(items, noun) {
  return items.flatMap((item, i) => {
    const next = items[(i + 1) % items.length];
    return [
      fact(
        item,
        'after',
        [`What ${noun} comes after ${item}?`, `Which ${noun} follows ${item}?`],
        [`${next} comes after ${item}.`, `The ${noun} after ${item} is ${next}.`],
      ),
      fact(
        next,
        'before',
        [`What ${noun} comes before ${next}?`, `Which ${noun} is before ${next}?`],
        [`${item} comes before ${next}.`, `The ${noun} before ${next} is ${item}.`],
      ),
    ];
  });
}

/** @returns {Fact[]} */
function numberFacts() {
  const facts = [];
  for (let n = 0; n < numbers.length - 1; n++) {
    facts.push(
      fact(
        numbers[n],
        'after',
        [`What number comes after ${numbers[n]}?`, `Which number follows ${numbers[n]}?`],
        [`${capitalize(numbers[n + 1])} comes after ${numbers[n]}.`],
      ),
      fact(
        numbers[n + 1],
        'before',
        [`What number comes before ${numbers[n + 1]}?`],
        [`${capitalize(numbers[n])} comes before ${numbers[n + 1]}.`],
      ),
    );
  }
  for (let a = 1; a <= 10; a++) {
    for (let b = 1; a + b <= 10; b++) {
      facts.push(
        fact(
          `${numbers[a]} and ${numbers[b]}`,
          'sum',
          [`What is ${numbers[a]} plus ${numbers[b]}?`, `How much is ${numbers[a]} and ${numbers[b]}?`],
          [`${capitalize(numbers[a])} plus ${numbers[b]} is ${numbers[a + b]}.`],
        ),
      );
    }
  }
  return facts;
}

/** @returns {Fact[]} */
const bodyFacts = ({ name, plural, use, many }) => {
  const mine = many === 'one' ? name : plural;
  return [
    fact(
      plural,
      'use',
      [`What do we use our ${mine} for?`, `What can you do with your ${mine}?`],
      [`We use our ${mine} to ${use}.`],
    ),
    fact(plural, 'many', [`How many ${plural} does a person have?`], [`A person has ${many} ${mine}.`]),
  ];
};

/** @returns {Fact[]} */
const keptFacts = ({ name, verb, where }) => [
  fact(
    name,
    'kept',
    [`Where do people keep ${name}?`, `Where should I put the ${name}?`, `Where ${verb} the ${name}?`],
    [`The ${name} ${verb} ${where}.`, `People keep ${name} ${where}.`],
  ),
];

/** @returns {Fact[]} */
const feelingFacts = ({ name, when, then }) => [
  fact(
    name,
    'when',
    [`When do people feel ${name}?`, `When are people ${name}?`],
    [`People feel ${name} when ${when}.`],
  ),
  fact(
    name,
    'then',
    [`What do people do when they are ${name}?`, `What do people do when they feel ${name}?`],
    [`When people are ${name}, they ${then}.`, `They ${then}.`],
  ),
];

/** @returns {Fact[]} */
const causeFacts = ({ why, fact: so, because }) => [
  fact(
    so,
    'why',
    [`Why ${why}?`, `Can you tell me why ${so}?`],
    [`${capitalize(so)} because ${because}.`, `Because ${because}.`],
  ),
];

/** Which of two animals is bigger; only clear differences are asked. @returns {Fact[]} */
function sizeFacts() {
  const facts = [];
  animals.forEach((a, i) => {
    animals.forEach((b, j) => {
      // a third of the pairs is enough to learn the order from
      if (Number(a.size) - Number(b.size) < 2 || (i * 7 + j * 3) % 3 !== 0) return;
      const [big, small] = [withArticle(a.name), withArticle(b.name)];
      facts.push(
        fact(
          `${a.plural} and ${b.plural}`,
          'bigger',
          [`What is bigger, ${big} or ${small}?`, `Which is bigger, ${small} or ${big}?`],
          [`${capitalize(big)} is bigger than ${small}.`],
        ),
        fact(
          `${b.plural} and ${a.plural}`,
          'smaller',
          [`Which is smaller, ${big} or ${small}?`, `What is smaller, ${small} or ${big}?`],
          [`${capitalize(small)} is smaller than ${big}.`],
        ),
      );
    });
  });
  return facts;
}

/** Facts by the group they belong to; a generator picks the group first, so that large groups don't crowd out small ones. */
export const factGroups = {
  animals: animals.flatMap(animalFacts),
  sizes: sizeFacts(),
  food: [...plantFoods.flatMap(plantFacts), ...madeFoods.flatMap(madeFoodFacts)],
  jobs: jobs.flatMap(jobFacts),
  tools: tools.flatMap(toolFacts),
  opposites: opposites.flatMap(oppositeFacts),
  materials: materials.flatMap(materialFacts),
  colours: thingColours.flatMap(colourFacts),
  places: places.flatMap(placeFacts),
  vehicles: vehicles.flatMap(vehicleFacts),
  weather: [...weathers.flatMap(weatherFacts), ...seasons.flatMap(seasonFacts)],
  calendar: [...orderFacts(days, 'day'), ...orderFacts(months, 'month')],
  numbers: numberFacts(),
  body: bodyParts.flatMap(bodyFacts),
  kept: keptThings.flatMap(keptFacts),
  feelings: feelings.flatMap(feelingFacts),
  causes: causes.flatMap(causeFacts),
  general: generalFacts.map(({ questions, answers }) => fact(questions[0], 'general', questions, answers)),
};

/** How often each group is picked. */
export const factWeights = {
  animals: 26,
  sizes: 5,
  food: 12,
  jobs: 7,
  tools: 6,
  opposites: 5,
  materials: 3,
  colours: 3,
  places: 6,
  vehicles: 3,
  weather: 4,
  calendar: 4,
  numbers: 6,
  body: 2,
  kept: 2,
  feelings: 3,
  causes: 4,
  general: 16,
};
