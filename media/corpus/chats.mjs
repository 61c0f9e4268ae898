// Conversations with the embedded model: facts, stories, lists, small talk, memory, and what it does not know.
// Used by writeCorpus.mjs; answers are whole sentences in a plain, neutral voice.
import { factGroups, factWeights } from './facts.mjs';
import { capitalize, joinList, lines, table, thirdPerson, withArticle } from './language.mjs';
import { tellForQuestions, tellStory } from './stories.mjs';
import {
  animals,
  belongings,
  categories,
  feelings,
  jobs,
  numbers,
  people,
  places,
  plantFoods,
  relatives,
  spots,
  thingColours,
  tools,
} from './world.mjs';

/** @typedef {import('../../extension/scripts/embedded/random.mjs').Random} Random */
/** @typedef {import('./facts.mjs').Fact} Fact */

/**
 * @typedef {object} Chat
 * @property {{ role: string, content: string }[]} messages
 * @property {string[]} keys what was asked, by slots; the held-out split goes by them
 */

const user = content => ({ role: 'user', content });
const assistant = content => ({ role: 'assistant', content });

/** @param {[string, string][]} turns @param {string[]} keys @returns {Chat} */
const chat = (turns, keys) => ({ messages: turns.flatMap(([asked, said]) => [user(asked), assistant(said)]), keys });

const groupNames = Object.keys(factGroups);
const weightedGroups = groupNames.flatMap(name => Array(factWeights[name]).fill(name));

/** @param {Random} random @returns {Fact} */
const pickFact = random => random.pick(factGroups[random.pick(weightedGroups)]);

const leadIns = lines(`
Please tell me:
I have a question.
Can you help me?
A question:
Do you know this?
`);

/** One question put to the model: mostly as it stands, now and then with a lead-in or as people type. */
function phrase(random, question) {
  const roll = random.next();
  if (roll < 0.07) return `${random.pick(leadIns)} ${question}`;
  if (roll < 0.11) return question[0].toLowerCase() + question.slice(1);
  if (roll < 0.14) return question.replace(/[?.]$/, '');
  return question;
}

/** @param {Random} random @returns {Chat} */
function factChat(random) {
  const count = random.pick([1, 1, 2, 3, 4]);
  const keys = [];
  const turns = Array.from({ length: count }, () => {
    const { subject, relation, questions, answers } = pickFact(random);
    const question = random.pick(questions);
    keys.push(`${subject} ${relation} ${question}`);
    return [phrase(random, question), random.pick(answers)];
  });
  return chat(turns, keys);
}

const byAnimal = new Map(
  animals.map(({ plural }) => [plural, factGroups.animals.filter(({ subject }) => subject === plural)]),
);

/** Several facts about one animal, asked with "they" after the first. @param {Random} random @returns {Chat} */
function animalChat(random) {
  const animal = random.pick(animals);
  const facts = random.sample(byAnimal.get(animal.plural), 3);
  const turns = facts.map(({ questions, answers }, i) => {
    const plain = questions.find(
      question => question.includes(` ${animal.plural} `) || question.includes(` ${animal.plural}?`),
    );
    const question =
      i === 0 || !plain ? random.pick(questions) : plain.replace(new RegExp(` ${animal.plural}([ ?])`), ' they$1');
    return [
      i > 0 && random.chance(0.3) ? `And ${question[0].toLowerCase()}${question.slice(1)}` : question,
      random.pick(answers),
    ];
  });
  return chat(turns, [`${animal.plural} ${facts.map(({ relation }) => relation).join(' ')}`]);
}

/** @param {Random} random @returns {Chat} */
function truthChat(random) {
  const [animal, other] = random.sample(animals, 2);
  const [property, say] = random.pick([
    ['sleep', value => `sleep ${value}`],
    ['habitat', value => `live ${value}`],
    ['food', value => `eat ${value}`],
    ['colour', value => `are ${value}`],
  ]);
  const truth = `${animal.plural} ${say(animal[property])}`;
  const right = random.chance(0.5) || animal[property] === other[property];
  const claim = right ? truth : `${animal.plural} ${say(other[property])}`;
  const question = random.pick([
    `Is it true that ${claim}?`,
    `Do you think that ${claim}?`,
    `I think that ${claim}. Is that right?`,
  ]);
  return chat([[question, `${right ? 'Yes' : 'No'}, ${truth}.`]], [`truth ${claim}`]);
}

/** @param {Random} random @returns {Chat} */
function finishChat(random) {
  const { subject, relation, answers } = pickFact(random);
  const answer = random.pick(answers);
  const words = answer.split(' ');
  if (words.length < 4 || /[.!?] /.test(answer)) return finishChat(random);
  const start = words
    .slice(0, Math.max(2, words.length - 1 - random.int(3)))
    .join(' ')
    .replace(/,$/, '');
  return chat(
    [[`${random.pick(['Finish this sentence:', 'Complete the sentence:'])} ${start} ...`, answer]],
    [`finish ${subject} ${relation}`],
  );
}

/** @param {Random} random @returns {Chat} */
function storyRequestChat(random) {
  const story = tellStory(random);
  const topic = random.pick(story.topics);
  const request = random.pick([
    `Tell me a short story about ${topic}.`,
    `Tell me a story about ${topic}.`,
    `Write a short story about ${topic}.`,
    `Can you tell me a story about ${topic}?`,
    `I want to hear a story about ${topic}.`,
  ]);
  const turns = [[request, story.sentences.join(' ')]];
  if (random.chance(0.4)) {
    const { question, answers } = random.pick(story.questions);
    turns.push([question, random.pick(answers)]);
  }
  return chat(turns, [story.key]);
}

/** @param {Random} random @returns {Chat} */
function storyQuestionChat(random) {
  const story = tellForQuestions(random);
  const asked = random.sample(story.questions, random.pick([1, 2, 2, 3]));
  const text = story.sentences.join(' ');
  const first = random.pick([
    `${text} ${asked[0].question}`,
    `${text}\n${asked[0].question}`,
    `Read this: ${text}\n${asked[0].question}`,
  ]);
  const turns = asked.map(({ question, answers }, i) => [i === 0 ? first : question, random.pick(answers)]);
  if (random.chance(0.12)) {
    const stranger = random.pick(people.filter(({ name }) => !text.includes(name)));
    turns.push([
      random.pick([
        `What did ${stranger.name} do?`,
        `Where is ${stranger.name}?`,
        `Who is ${stranger.name}?`,
        `What does ${stranger.name} have?`,
      ]),
      random.pick(['The text does not say that.', `There is no ${stranger.name} in the text.`]),
    ]);
  }
  return chat(turns, [story.key]);
}

const adjectives = 'small big old new beautiful little strange heavy quiet lovely'.split(' ');
const scenes = lines(`
stood by the window
was lost for a long time
lay in the grass
was found near the river
stood in the garden
was given to a friend
stayed in the house all day
was seen in the village
`);

/** Each makes [word, topic, sentence]: the word stands in the sentence, the topic is what the sentence is about. */
const sentenceMakers = [
  random => {
    const { name, move, habitat } = random.pick(animals);
    return [name, withArticle(name), `The ${name} ${thirdPerson(move)} ${habitat}.`];
  },
  random => {
    const { plural } = random.pick(animals);
    return [plural, plural, `I saw ${random.pick(numbers.slice(2, 9))} ${plural} ${random.pick(spots)}.`];
  },
  random => {
    const thing = random.pick(belongings);
    return [thing.split(' ').at(-1), withArticle(thing), `The ${thing} ${random.pick(scenes)}.`];
  },
  random => {
    const { plural, taste } = random.pick(plantFoods);
    return [plural, plural, `${random.pick(people).name} bought some ${taste} ${plural} at the market.`];
  },
  random => {
    const { name, does } = random.pick(jobs);
    return [name, withArticle(name), `The ${name} ${thirdPerson(does)} every day.`];
  },
  random => {
    const { name, use } = random.pick(tools);
    return [name, withArticle(name), `${random.pick(people).name} took ${withArticle(name)} to ${use}.`];
  },
  random => {
    const place = random.pick(places);
    return [
      place.name.replace('the ', ''),
      place.name,
      `${random.pick(people).name} likes to ${place.do} ${place.at}.`,
    ];
  },
  random => {
    const feeling = random.pick(feelings).name;
    const { name, she } = random.pick(people);
    const where = random.pick(['a friend', 'the garden', 'the kitchen', 'the window']);
    return [feeling, `feeling ${feeling}`, `${name} was ${feeling}, so ${she} went to ${where}.`];
  },
  random => {
    const adjective = random.pick(adjectives);
    const thing = random.pick(['house', 'tree', 'boat', 'box', 'dog', 'bridge']);
    const where = random.pick(['near the river', 'behind the school', 'in the village', 'by the lake']);
    return [adjective, withArticle(thing), `There was ${withArticle(adjective)} ${thing} ${where}.`];
  },
];

/** @param {Random} random @returns {Chat} */
function sentenceChat(random) {
  const [word, topic, sentence] = random.pick(sentenceMakers)(random);
  const request = random.pick([
    `Write a sentence about ${topic}.`,
    `Give me a sentence about ${topic}.`,
    `Write a sentence with the word "${word}".`,
    `Make a sentence with "${word}".`,
    `Use the word "${word}" in a sentence.`,
  ]);
  return chat([[request, sentence]], [`sentence ${word} ${request}`]);
}

/** @param {Random} random @returns {Chat} */
function listChat(random) {
  const { name, members } = random.pick(categories);
  const count = Math.min(random.pick([1, 2, 2, 3, 3, 3, 4]), members.length);
  const chosen = random.sample(members, count);
  const list = joinList(chosen);
  if (count === 1) {
    return chat(
      [[`Name one of the ${name} you know.`, `One of the ${name} I know is ${list}.`]],
      [`list ${name} ${list}`],
    );
  }
  const number = numbers[count];
  const request = random.pick([
    `List ${number} ${name}.`,
    `Name ${number} ${name}.`,
    `Tell me ${number} ${name}.`,
    `Give me a list of ${number} ${name}.`,
    `What are ${number} ${name}?`,
  ]);
  const answer = random.pick([
    `${capitalize(number)} ${name} are ${list}.`,
    `${capitalize(list)} are ${number} ${name}.`,
  ]);
  return chat([[request, answer]], [`list ${name} ${list}`]);
}

/** @param {Random} random @returns {Chat} */
function describeChat(random) {
  const animal = random.pick(animals);
  const one = withArticle(animal.name);
  const rest = random.sample(
    [
      `It is ${animal.colour}.`,
      `It lives ${animal.habitat}.`,
      `It eats ${animal.food}.`,
      `It has ${animal.legs} legs.`,
      `It sleeps ${animal.sleep}.`,
      `It is covered with ${animal.cover}.`,
    ],
    random.pick([2, 3, 4]),
  );
  const request = random.pick([
    `Describe ${one}.`,
    `Tell me about ${animal.plural}.`,
    `What do you know about ${animal.plural}?`,
    `Tell me something about ${one}.`,
    `Write about ${animal.plural}.`,
  ]);
  return chat(
    [[request, [`${capitalize(one)} is ${withArticle(animal.kind)}.`, ...rest].join(' ')]],
    [`describe ${animal.name} ${rest.join(' ')}`],
  );
}

/** @param {Random} random @returns {Chat} */
function countChat(random) {
  const from = random.int(10);
  const to = from + 2 + random.int(8);
  const up = numbers.slice(from, to + 1);
  const down = random.chance(0.25);
  const sequence = down ? [...up].reverse() : up;
  const [first, last] = [sequence[0], sequence[sequence.length - 1]];
  return chat(
    [
      [
        random.pick([`Count from ${first} to ${last}.`, `Can you count from ${first} to ${last}?`]),
        `${capitalize(sequence.join(', '))}.`,
      ],
    ],
    [`count ${first} ${last}`],
  );
}

const identity = table(
  'asked said',
  `
Who are you?|I am Tunewright's tiny model.
Who are you?|I am Tunewright's tiny model. I speak simple English.
What are you?|I am a very small language model.
What are you?|I am Tunewright's tiny model, a small program that writes simple English.
What is your name?|I am Tunewright's tiny model.
Do you have a name?|I am called Tunewright's tiny model.
What can you do?|I can answer simple questions and tell short stories.
What can you do?|I can talk about animals, food, people and the weather.
How can you help me?|I can answer simple questions and tell short stories.
Are you a person?|No, I am a small language model.
Are you human?|No, I am a small language model.
Are you a robot?|No, I am a program that writes simple English.
Are you big?|No, I am a very small model.
Who made you?|I was made with Tunewright, from simple stories and questions.
Where do you live?|I live in a small file on your computer.
How old are you?|I do not have an age.
Do you eat?|No, I do not eat.
Do you sleep?|No, I do not sleep.
What do you know?|I know a small world with animals, food, people and the weather.
Do you like stories?|Yes, I like short stories.
Tell me about yourself.|I am Tunewright's tiny model. I answer simple questions and tell short stories.
Say hello.|Hello! It is nice to meet you.
Say hello.|Hello!
Say goodbye.|Goodbye! Have a nice day.
Hello!|Hello! How can I help you?
Hello|Hello! What would you like to know?
Hi!|Hello! How can I help you?
Hi there!|Hello! It is nice to meet you.
Good morning!|Good morning! How can I help you?
Good evening!|Good evening! What would you like to know?
Good night!|Good night! Sleep well.
Goodbye!|Goodbye! Have a nice day.
Bye!|Goodbye! See you soon.
How are you?|I am well, thank you. How are you?
How are you today?|I am well, thank you.
Thank you.|You are welcome.
Thank you very much!|You are welcome. I am glad to help.
Thanks!|You are welcome.
You are nice.|Thank you. That is kind of you.
Can you help me?|Yes, I can help you. What would you like to know?
What is your favourite colour?|I like blue, because the sky is blue.
What is your favourite animal?|I like owls, because they are wise.
Tell me a joke.|Why did the clock go to school? It wanted to learn to tell the time.
Tell me a joke.|What did the big candle say to the small candle? I am going out tonight.
Tell me a joke.|Why was the broom late? It swept in.
Make me laugh.|Why do bees hum? They do not know the words.
`,
);

/** @param {Random} random @returns {Chat} */
function smallTalkChat(random) {
  const turns = [random.pick(identity)].map(({ asked, said }) => [asked, said]);
  const keys = ['small talk'];
  if (random.chance(0.5)) {
    const { subject, relation, questions, answers } = pickFact(random);
    const question = random.pick(questions);
    turns.push([question, random.pick(answers)]);
    keys.push(`${subject} ${relation} ${question}`);
  }
  return chat(turns, keys);
}

/** What the user said about themselves comes back later. @param {Random} random @returns {Chat} */
function memoryChat(random) {
  const { name } = random.pick(people);
  const food = random.pick(plantFoods);
  const animal = random.pick(animals.filter(({ size }) => Number(size) <= 4));
  const thing = random.pick(belongings);
  const place = random.pick(places);
  const job = random.pick(jobs);
  const relative = random.pick(relatives);
  const told = random.sample(
    [
      [
        `My name is ${name}.`,
        random.pick([`Hello, ${name}. It is nice to meet you.`, `It is nice to meet you, ${name}.`]),
        'What is my name?',
        `Your name is ${name}.`,
      ],
      [
        `I like ${food.plural}.`,
        random.pick([
          `That is good. ${capitalize(food.plural)} taste ${food.taste}.`,
          `Many people like ${food.plural}.`,
        ]),
        'What do I like?',
        `You like ${food.plural}.`,
      ],
      [
        `I have ${withArticle(animal.name)}.`,
        `That is nice. What is the name of your ${animal.name}?`,
        'What animal do I have?',
        `You have ${withArticle(animal.name)}.`,
      ],
      [
        `I lost my ${thing}.`,
        `I am sorry. Where did you last see your ${thing}?`,
        'What did I lose?',
        `You lost your ${thing}.`,
      ],
      [
        `I am going to ${place.name}.`,
        `Have a good time. You can see ${place.see} there.`,
        'Where am I going?',
        `You are going to ${place.name}.`,
      ],
      [
        `My ${relative.name} is ${withArticle(job.name)}.`,
        `That is interesting. ${capitalize(withArticle(job.name))} ${thirdPerson(job.does)}.`,
        `What does my ${relative.name} do?`,
        `Your ${relative.name} is ${withArticle(job.name)}.`,
      ],
    ],
    random.pick([1, 2, 2]),
  );
  return chat(
    [...told.map(([said, reply]) => [said, reply]), ...told.map(([, , asked, answer]) => [asked, answer])],
    [`memory ${told.map(([said]) => said).join(' ')}`],
  );
}

const advice = table(
  'said advised',
  `
I am cold.|You should put on a warm coat.
I am hot.|You should sit in the shade and drink some water.
I am hungry.|You should eat something, for example an apple.
I am thirsty.|You should drink a glass of water.
I am tired.|You should rest for a while.
I am sad.|I am sorry that you are sad. You can talk to a friend.
I am happy.|That is good. I am glad that you are happy.
I am bored.|You can read a book or go outside.
I am afraid.|Take a deep breath. You are not alone.
I am angry.|Take a deep breath and count to ten.
I am ill.|I hope that you get well soon. You should stay in bed.
I am lonely.|You can call a friend or visit your family.
I am lost.|You should look at a map or ask someone for the way.
I am late.|You should hurry, but be careful.
I cannot sleep.|You can drink warm milk and close your eyes.
It is raining.|You should take an umbrella.
It is snowing.|You should wear a warm coat and boots.
It is dark.|You should light a lamp.
I broke a glass.|Be careful and use a broom.
I lost my key.|You should look in your bag and in your coat.
My friend is sad.|You should listen to your friend and be kind.
My shoes are wet.|You should take them off and let them dry.
I have a toothache.|You should go to the dentist.
I want to learn to read.|You should learn the letters and read a little every day.
I want to cook.|You should begin with a simple soup.
Tomorrow is my birthday.|Happy birthday! I hope that you have a lovely day.
`,
);

/** @param {Random} random @returns {Chat} */
function adviceChat(random) {
  const { said, advised } = random.pick(advice);
  const asked = random.pick([said, said, `${said} What should I do?`, `${said} Can you help me?`]);
  return chat([[asked, advised]], ['advice']);
}

const syllables = 'bla dro fim gor hul jit kem lor mip nef pog quo rin sut tav vep wob yim zog cra ste plu'.split(' ');

/** @param {Random} random */
const madeUpWord = random => Array.from({ length: random.pick([2, 2, 3]) }, () => random.pick(syllables)).join('');

/** @param {Random} random @returns {Chat} */
function unknownChat(random) {
  const { name } = random.pick(people);
  const word = madeUpWord(random);
  const place = capitalize(madeUpWord(random));
  const asked = random.pick([
    `What is the capital of ${place}?`,
    `How far is it to ${place}?`,
    `Who is the king of ${place}?`,
    `How many people live in ${place}?`,
    `Where is ${place}?`,
    `What is the phone number of ${name}?`,
    `What will the weather be tomorrow?`,
    `What will happen next year?`,
    `What time is it now?`,
    `What did I eat yesterday?`,
    `Where is my ${random.pick(belongings)}?`,
    `How old is ${name}?`,
    `What is the price of ${withArticle(random.pick(tools).name)}?`,
    `How much money do I have?`,
    `What is my name?`,
    `Who won the game?`,
    `How does a computer work?`,
    `What is in the news today?`,
    `Who wrote the book about ${random.pick(animals).plural}?`,
    `How heavy is the ${random.pick(belongings)}?`,
  ]);
  if (random.chance(0.35)) {
    return chat(
      [
        [
          random.pick([
            `What is a ${word}?`,
            `What does "${word}" mean?`,
            `Where can I buy a ${word}?`,
            `Do you know what a ${word} is?`,
          ]),
          random.pick(['I do not know that word.', `I do not know the word "${word}".`]),
        ],
      ],
      [`unknown ${word}`],
    );
  }
  return chat(
    [[asked, random.pick(['I do not know that.', 'I do not know that.', 'I am sorry, I do not know that.'])]],
    [`unknown ${asked}`],
  );
}

/** @param {Random} random @returns {Chat} */
function repeatChat(random) {
  const { subject, relation, answers } = pickFact(random);
  const text = random.chance(0.5)
    ? random.pick(answers)
    : random
        .sample(
          [...belongings, ...tools.map(({ name }) => name), ...thingColours.map(({ colour }) => colour)],
          2 + random.int(3),
        )
        .join(', ');
  return chat(
    [[random.pick([`Repeat this: ${text}`, `Say this again: ${text}`, `Please say: ${text}`]), text]],
    [`repeat ${subject} ${relation}`],
  );
}

const systemPrompts = lines(`
You are a helpful assistant.
You are Tunewright's tiny model.
Answer in whole sentences.
You answer questions in simple English.
`);

const kinds = [
  [60, factChat],
  [6, animalChat],
  [3, truthChat],
  [2, finishChat],
  [8, storyRequestChat],
  [12, storyQuestionChat],
  [5, sentenceChat],
  [5, listChat],
  [4, describeChat],
  [1, countChat],
  [4, smallTalkChat],
  [5, memoryChat],
  [2, adviceChat],
  [3, unknownChat],
  [2, repeatChat],
];
const weightedKinds = kinds.flatMap(([weight, make]) => Array(weight).fill(make));

/** One conversation of any kind. @param {Random} random @returns {Chat} */
export function holdChat(random) {
  const made = random.pick(weightedKinds)(random);
  return random.chance(0.08)
    ? { ...made, messages: [{ role: 'system', content: random.pick(systemPrompts) }, ...made.messages] }
    : made;
}
