// Short stories by plot: each plot fills its slots at random and also says which questions its story answers.
// Used by chats.mjs (stories on request, questions about a story) and writeCorpus.mjs (plain text).
import { capitalize, joinList, withArticle } from './language.mjs';
import {
  animals,
  belongings,
  jobs,
  people,
  places,
  plantFoods,
  relatives,
  seasons,
  spots,
  times,
  vehicles,
  weathers,
} from './world.mjs';

/**
 * @typedef {object} Story
 * @property {string[]} sentences
 * @property {{ question: string, answers: string[] }[]} questions answered by the story's own words
 * @property {string[]} topics what one could have asked a story about: "a fox", "the beach", "Anna"
 * @property {string} key the slots that make this story what it is; the held-out split goes by it
 */

/** @typedef {import('../../extension/scripts/embedded/random.mjs').Random} Random */

const ask = (question, ...answers) => ({ question, answers });
const moods = ['happy', 'glad', 'very happy', 'full of joy'];
const wildAnimals = animals.filter(animal => Number(animal.size) <= 3 && animal.sound !== 'make no sound');
const storyAnimals = animals.filter(animal => animal.kind === 'mammal' || animal.kind === 'bird');
const nicknames = 'Pip Bobo Tilly Nuts Hazel Fern Momo Rusty Dot Bramble Pepper Toby'.split(' ');

const fruits = plantFoods.filter(food => food.kind === 'fruit');
const vegetables = plantFoods.filter(food => food.kind === 'vegetable');
/** Where one travels to; nobody takes a bus to the kitchen. */
const tripPlaces = places.filter(({ name }) => !['the kitchen', 'the garden', 'the bedroom'].includes(name));

/** Two different people. @param {Random} random */
const twoPeople = random => random.sample(people, 2);

/** A closing sentence that fits every plot. @param {Random} random @param {string} who */
const ending = (random, who) =>
  random.pick([
    `That night, ${who} slept well.`,
    `It was a good day.`,
    `${capitalize(who)} never forgot that day.`,
    `In the evening, ${who} told the whole family about it.`,
    `From then on, ${who} smiled every time.`,
    `It had been a long day, but a good one.`,
  ]);

/** @param {Random} random @returns {Story} */
function lostAndFound(random) {
  const [hero, friend] = twoPeople(random);
  const { name, she, hers, child } = hero;
  const thing = random.pick(belongings);
  const [first, second, last] = random.sample(spots, 3);
  const time = random.pick(times);
  const open = random.pick([
    `${capitalize(time)}, ${name} could not find ${hers} ${thing}.`,
    `${name} was a ${child} who had ${withArticle(thing)}. ${capitalize(time)}, the ${thing} was gone.`,
    `${name} lost ${hers} ${thing} ${time}.`,
  ]);
  return {
    sentences: [
      open,
      random.pick([
        `${capitalize(she)} was sad.`,
        `"Where is my ${thing}?" ${she} asked.`,
        `${capitalize(she)} began to look for it.`,
      ]),
      `${capitalize(she)} looked ${first}, but it was not there.`,
      `Then ${she} looked ${second}, but it was not there either.`,
      `${friend.name} came to help.`,
      random.pick([
        `"I see it!" said ${friend.name}. The ${thing} was ${last}.`,
        `${friend.name} found the ${thing} ${last}.`,
        `${friend.name} looked ${last}, and there it was.`,
      ]),
      random.pick([
        `${name} was ${random.pick(moods)}.`,
        `"Thank you," said ${name}.`,
        `"You are a good friend," said ${name}.`,
      ]),
      ending(random, name),
    ],
    questions: [
      ask(`What did ${name} lose?`, `${name} lost ${hers} ${thing}.`),
      ask(`Who lost ${withArticle(thing)}?`, `${name} lost ${withArticle(thing)}.`),
      ask(`Who helped ${name}?`, `${friend.name} helped ${name}.`),
      ask(`Who found the ${thing}?`, `${friend.name} found the ${thing}.`),
      ask(`Where was the ${thing}?`, `The ${thing} was ${last}.`),
      ask(`Where did ${name} look first?`, `${name} looked ${first} first.`),
      ask(`When did ${name} lose the ${thing}?`, `${name} lost the ${thing} ${time}.`),
    ],
    topics: [withArticle(thing), name, friend.name, 'a lost thing', 'a friend who helps'],
    key: `lost ${name} ${thing} ${last}`,
  };
}

/** @param {Random} random @returns {Story} */
function dayOut(random) {
  const { name, she, her, hers } = random.pick(people);
  const relative = random.pick(relatives);
  const place = random.pick(tripPlaces);
  const weather = random.pick(weathers.slice(0, 4));
  const food = random.pick(fruits);
  const time = random.pick(times);
  const vehicle = random.pick(['bus', 'train', 'bicycle', 'car', 'tram']);
  return {
    sentences: [
      random.pick([
        `${capitalize(time)}, ${name} went to ${place.name} with ${hers} ${relative.name}.`,
        `${name} and ${hers} ${relative.name} went to ${place.name} ${time}.`,
      ]),
      `They went there by ${vehicle}.`,
      random.pick([`It was a ${weather.adjective} day.`, `The weather was ${weather.adjective}.`]),
      random.pick([`${capitalize(place.at)}, they saw ${place.see}.`, `${name} looked at ${place.see}.`]),
      `${capitalize(she)} wanted to ${place.do}.`,
      random.pick([
        `Later they were hungry and ate some ${food.plural}.`,
        `At noon, ${hers} ${relative.name} gave ${her} some ${food.plural} to eat.`,
      ]),
      `"I like this place," said ${name}.`,
      ending(random, name),
    ],
    questions: [
      ask(`Where did ${name} go?`, `${name} went to ${place.name}.`),
      ask(`Who went to ${place.name}?`, `${name} and ${hers} ${relative.name} went to ${place.name}.`),
      ask(`Who did ${name} go with?`, `${name} went with ${hers} ${relative.name}.`),
      ask(`When did they go to ${place.name}?`, `They went to ${place.name} ${time}.`),
      ask(`How did they go there?`, `They went there by ${vehicle}.`),
      ask(`What was the weather like?`, `The weather was ${weather.adjective}.`),
      ask(`What did they eat?`, `They ate some ${food.plural}.`),
      ask(`What did ${name} want to do?`, `${name} wanted to ${place.do}.`),
    ],
    topics: [place.name, name, `a ${weather.adjective} day`, withArticle(vehicle), `a trip to ${place.name}`],
    key: `day ${name} ${place.name} ${relative.name}`,
  };
}

/** @param {Random} random @returns {Story} */
function animalInNeed(random) {
  const { name, she, hers } = random.pick(people);
  const animal = random.pick(wildAnimals);
  const spot = random.pick(spots);
  const [problem, cure, why] = random.pick([
    ['was hungry', `gave it something to eat`, 'it was hungry'],
    ['was cold', `put it into a warm blanket`, 'it was cold'],
    ['was thirsty', `gave it some fresh water`, 'it was thirsty'],
    ['had hurt its foot', `washed its foot and put a bandage on it`, 'it had hurt its foot'],
    ['had lost its mother', `looked for its mother until they found her`, 'it had lost its mother'],
    ['was afraid of the storm', `sat beside it and sang a quiet song`, 'it was afraid of the storm'],
  ]);
  const size = random.pick(['small', 'young', 'little']);
  return {
    sentences: [
      random.pick([
        `One day, ${name} saw a ${size} ${animal.name} ${spot}.`,
        `${name} found a ${size} ${animal.name} ${spot}.`,
        `A ${size} ${animal.name} sat ${spot}. ${name} came near and looked at it.`,
      ]),
      `The ${animal.name} ${problem}.`,
      random.pick([
        `"Do not be afraid," said ${name}.`,
        `"I will help you," said ${name}.`,
        `"Poor ${animal.name}," said ${name}.`,
      ]),
      `${capitalize(she)} ${cure}.`,
      random.pick([`Soon the ${animal.name} felt better.`, `After a while the ${animal.name} was well again.`]),
      random.pick([
        `The next day it came back to say thank you.`,
        `It looked at ${name} and then went home.`,
        `From that day on, the ${animal.name} was ${hers} friend.`,
      ]),
      random.chance(0.5) ? `${name} was ${random.pick(moods)}.` : ending(random, name),
    ],
    questions: [
      ask(`What did ${name} find?`, `${name} found a ${size} ${animal.name}.`),
      ask(`Where was the ${animal.name}?`, `The ${animal.name} was ${spot}.`),
      ask(`Who helped the ${animal.name}?`, `${name} helped the ${animal.name}.`),
      ask(`Why did the ${animal.name} need help?`, `The ${animal.name} needed help because ${why}.`),
      ask(`What did ${name} do?`, `${name} ${cure}.`),
    ],
    topics: [withArticle(animal.name), name, 'helping an animal', `a ${size} ${animal.name}`],
    key: `need ${name} ${animal.name} ${problem}`,
  };
}

/** @param {Random} random @returns {Story} */
function cooking(random) {
  const [hero, friend] = twoPeople(random);
  const { name, she } = hero;
  const sweet = random.chance(0.5);
  const [one, two] = random.sample(sweet ? fruits : vegetables, 2);
  const dish = random.pick(
    sweet ? ['a cake', 'a pie', 'a pudding', 'a fruit salad'] : ['a soup', 'a salad', 'a stew', 'a big dinner'],
  );
  const bare = dish.replace(/^an? /, '');
  const time = random.pick(times);
  return {
    sentences: [
      random.pick([`${name} wanted to make ${dish} ${time}.`, `${capitalize(time)}, ${name} wanted to make ${dish}.`]),
      `${capitalize(she)} needed ${one.plural} and ${two.plural}.`,
      random.pick([
        `There were many ${one.plural} in the kitchen, but there were no ${two.plural}.`,
        `${capitalize(she)} had some ${one.plural}, but ${she} had no ${two.plural}.`,
      ]),
      random.pick([
        `"What shall I do?" ${she} asked.`,
        `So ${she} called ${friend.name}.`,
        `${name} thought for a while.`,
      ]),
      `${friend.name} came with a basket full of ${two.plural}.`,
      `Together they made the ${bare}.`,
      random.pick([
        `The ${bare} tasted very good.`,
        `They ate the ${bare} and talked for a long time.`,
        `It was the best ${bare} in the village.`,
      ]),
      random.pick([
        `"Cooking is more fun with a friend," said ${name}.`,
        `"Thank you for the ${two.plural}," said ${name}.`,
      ]),
    ],
    questions: [
      ask(`What did ${name} want to make?`, `${name} wanted to make ${dish}.`),
      ask(`Who wanted to make ${dish}?`, `${name} wanted to make ${dish}.`),
      ask(`What did ${name} need?`, `${name} needed ${one.plural} and ${two.plural}.`),
      ask(`What was missing?`, `There were no ${two.plural}.`),
      ask(`Who brought the ${two.plural}?`, `${friend.name} brought the ${two.plural}.`),
      ask(`When did ${name} want to make ${dish}?`, `${name} wanted to make ${dish} ${time}.`),
    ],
    topics: [dish, 'cooking', two.plural, name, 'two friends in a kitchen'],
    key: `cook ${name} ${bare} ${two.name}`,
  };
}

/** @param {Random} random @returns {Story} */
function animalWish(random) {
  const [animal, adviser] = random.sample(storyAnimals, 2);
  const nickname = random.pick(nicknames);
  const [wish, advice, result] = random.pick([
    ['wanted to see the sea', 'Follow the river', 'followed the river and came to the sea'],
    ['wanted to find a friend', 'Be kind to everyone you meet', 'was kind to everyone and soon had many friends'],
    ['wanted to touch the moon', 'Look into the lake at night', 'looked into the lake and saw the moon in the water'],
    ['was afraid of the dark', 'Look at the stars', 'looked at the stars and was not afraid any more'],
    ['wanted to be strong', 'Work a little every day', 'worked every day and became strong'],
    ['wanted to sing', 'Listen to the birds', 'listened to the birds and learned a song'],
    [
      'wanted to know where the sun sleeps',
      'Climb the hill in the evening',
      'climbed the hill and saw the sun go down',
    ],
    ['was always late', 'Get up with the sun', 'got up with the sun and was never late again'],
    ['wanted to be alone', 'Sit under the old tree for a day', 'sat under the old tree and soon missed the others'],
    ['could not sleep', 'Count the clouds', 'counted the clouds and fell asleep'],
  ]);
  const size = random.pick(['small', 'young', 'clever', 'old', 'shy', 'brave']);
  return {
    sentences: [
      random.pick([
        `Once there was ${withArticle(size)} ${animal.name} named ${nickname}.`,
        `${withArticle(size).replace(/^a/, 'A')} ${animal.name} named ${nickname} lived ${animal.habitat}.`,
        `Long ago, ${withArticle(size)} ${animal.name} lived ${animal.habitat}. Its name was ${nickname}.`,
      ]),
      `${nickname} ${wish}.`,
      random.pick([
        `So ${nickname} went to a wise ${adviser.name} and asked for help.`,
        `One day ${nickname} met ${withArticle(adviser.name)} and told it everything.`,
        `"Can you help me?" ${nickname} asked the ${adviser.name}.`,
      ]),
      `"${advice}," said the ${adviser.name}.`,
      `${nickname} ${result}.`,
      random.pick([
        `"Thank you," said ${nickname} to the ${adviser.name}.`,
        `${nickname} was ${random.pick(moods)}.`,
        `The ${adviser.name} smiled.`,
        `Since then, the ${animal.name} and the ${adviser.name} have been friends.`,
      ]),
    ],
    questions: [
      ask(`What was the name of the ${animal.name}?`, `The name of the ${animal.name} was ${nickname}.`),
      ask(`What animal was ${nickname}?`, `${nickname} was ${withArticle(animal.name)}.`),
      ask(`Who helped ${nickname}?`, `${capitalize(withArticle(adviser.name))} helped ${nickname}.`),
      ask(`What did the ${adviser.name} say?`, `The ${adviser.name} said, "${advice}."`),
      ask(`What happened at the end?`, `${nickname} ${result}.`),
    ],
    topics: [
      withArticle(animal.name),
      `${withArticle(size)} ${animal.name}`,
      `${withArticle(animal.name)} and ${withArticle(adviser.name)}`,
    ],
    key: `wish ${animal.name} ${adviser.name} ${wish}`,
  };
}

/** @param {Random} random @returns {Story} */
function sharing(random) {
  const [one, two] = twoPeople(random);
  const thing = random.pick(belongings);
  const place = random.pick(places);
  const wise = random.pick(relatives);
  return {
    sentences: [
      `${one.name} and ${two.name} were ${place.at}.`,
      `${one.name} had ${withArticle(thing)}, and ${two.name} wanted it too.`,
      random.pick([`"It is mine!" said ${one.name}.`, `"Give it to me!" said ${two.name}.`, `They began to shout.`]),
      random.pick([`Both of them were angry.`, `${two.name} was sad.`, `Nobody was happy.`]),
      `Then ${one.hers} ${wise.name} said, "You can share the ${thing}."`,
      random.pick([
        `First ${one.name} had the ${thing}, and then ${two.name} had it.`,
        `So they took turns with the ${thing}.`,
        `${one.name} thought about it and gave the ${thing} to ${two.name} for a while.`,
      ]),
      random.pick([
        `Now they were friends again.`,
        `After that, they were both happy.`,
        `"Sharing is good," said ${two.name}.`,
      ]),
    ],
    questions: [
      ask(`Where were ${one.name} and ${two.name}?`, `They were ${place.at}.`),
      ask(`Who had ${withArticle(thing)}?`, `${one.name} had ${withArticle(thing)}.`),
      ask(`What did ${two.name} want?`, `${two.name} wanted the ${thing}.`),
      ask(`Why were they angry?`, `They were angry because both of them wanted the ${thing}.`),
      ask(`Who told them to share?`, `${one.name}'s ${wise.name} told them to share.`),
    ],
    topics: ['sharing', withArticle(thing), place.name, `${one.name} and ${two.name}`, 'two friends'],
    key: `share ${one.name} ${two.name} ${thing}`,
  };
}

/** @param {Random} random @returns {Story} */
function shopping(random) {
  const { name, she, hers } = random.pick(people);
  const relative = random.pick(relatives);
  const [one, two, three] = random.sample(plantFoods, 3);
  const counts = ['two', 'three', 'four', 'five', 'six', 'seven', 'eight'];
  const [first, second] = random.sample(counts, 2);
  const time = random.pick(times);
  return {
    sentences: [
      random.pick([`${capitalize(time)}, ${name} went to the market.`, `${name} went to the market ${time}.`]),
      `${capitalize(hers)} ${relative.name} had given ${name} a basket and some money.`,
      `${capitalize(she)} bought ${first} ${one.plural} and ${second} ${two.plural}.`,
      random.pick([
        `"Do you want some ${three.plural} too?" asked the woman at the stall.`,
        `There were ${three.plural} too, but ${she} had no money left.`,
      ]),
      random.pick([`"No, thank you," said ${name}.`, `The basket was heavy now.`]),
      `Then ${she} walked home.`,
      random.pick([`"Well done," said ${hers} ${relative.name}.`, `At home, they put the ${one.plural} into a bowl.`]),
    ],
    questions: [
      ask(`Where did ${name} go?`, `${name} went to the market.`),
      ask(`What did ${name} buy?`, `${name} bought ${first} ${one.plural} and ${second} ${two.plural}.`),
      ask(`How many ${one.plural} did ${name} buy?`, `${name} bought ${first} ${one.plural}.`),
      ask(`How many ${two.plural} did ${name} buy?`, `${name} bought ${second} ${two.plural}.`),
      ask(`Who gave ${name} the basket?`, `${capitalize(hers)} ${relative.name} gave ${name} the basket.`),
      ask(`When did ${name} go to the market?`, `${name} went to the market ${time}.`),
    ],
    topics: ['the market', name, one.plural, 'shopping', 'a heavy basket'],
    key: `shop ${name} ${one.name} ${two.name}`,
  };
}

/** Sailors talk as sailors do; otherwise the words of the sea would be unknown to the model. @param {Random} random @returns {Story} */
function atSea(random) {
  const captain = random.pick(['Captain Grey', 'Captain Bones', 'Captain Rose', 'Captain Storm', 'Captain Silver']);
  const { name } = random.pick(people);
  const animal = random.pick(
    animals.filter(({ habitat, name: kind }) => habitat === 'in the sea' || kind === 'parrot'),
  );
  const weather = random.pick(['a storm', 'fog', 'a strong wind', 'heavy rain', 'high waves']);
  const found = random.pick([
    'a chest of gold',
    'an old map',
    'a small island',
    'a box of silver coins',
    'a lost ship',
    'a bag of pearls',
  ]);
  const cry = random.pick([
    'Arr, matey!',
    'Ahoy, me hearties!',
    'Aye aye, captain!',
    'Shiver me timbers!',
    'Yo ho ho!',
    'Avast, ye lubbers!',
  ]);
  const speech = random.pick([
    'The sea be rough today',
    "We be sailin' at dawn",
    'There be treasure on that island',
    "Hoist th' sails, me lads",
    "Drop th' anchor, matey",
    'Ye be a fine sailor',
    "Th' ship be ready, aye",
    'Me parrot be hungry',
    "I be lookin' for me gold",
    'Swab the deck, ye landlubber',
  ]);
  return {
    sentences: [
      random.pick([
        `${captain} was a pirate who sailed the sea with a young sailor named ${name}.`,
        `${name} was a sailor on the ship of ${captain}.`,
        `Once ${name} sailed the sea with ${captain}.`,
      ]),
      random.pick([`One day there was ${weather}.`, `In the night they met ${weather}.`]),
      `"${cry}" cried ${captain}. "${speech}!"`,
      random.pick([
        `"Aye, captain," said ${name}.`,
        `${name} ran across the deck.`,
        `"Aye aye!" said ${name} and pulled the rope.`,
      ]),
      random.pick([
        `${capitalize(withArticle(animal.name))} followed the ship.`,
        `They saw ${withArticle(animal.name)} beside the ship.`,
      ]),
      `In the end, they found ${found}.`,
      random.pick([
        `"Arr, that be good," said ${captain}.`,
        `The sailors sang all night.`,
        `Then they sailed home to the harbour.`,
      ]),
    ],
    questions: [
      ask(`Who was the captain?`, `${captain} was the captain.`),
      ask(`Who sailed with ${captain}?`, `${name} sailed with ${captain}.`),
      ask(`What did they find?`, `They found ${found}.`),
      ask(`What animal did they see?`, `They saw ${withArticle(animal.name)}.`),
    ],
    topics: ['a pirate', 'the sea', 'a ship', captain, found],
    key: `sea ${captain} ${name} ${found}`,
  };
}

/** @param {Random} random @returns {Story} */
function garden(random) {
  const { name, she, hers } = random.pick(people);
  const food = random.pick(plantFoods);
  const season = random.pick(seasons.slice(0, 2));
  const trouble = random.pick([
    ['It did not rain for many days', 'carried water to the garden'],
    ['A snail came every night', 'put the snail into the meadow'],
    ['The wind was strong', 'built a small wall of stones'],
    ['There were many weeds', 'pulled out the weeds'],
    ['The nights were cold', 'covered the plants with straw'],
  ]);
  const relative = random.pick(relatives);
  return {
    sentences: [
      `In ${season.name}, ${name} put some seeds into the earth.`,
      random.pick([
        `"They will become ${food.plural}," said ${hers} ${relative.name}.`,
        `${capitalize(she)} wanted to grow ${food.plural}.`,
      ]),
      `Every day ${she} went into the garden and looked.`,
      `${trouble[0]}, so ${name} ${trouble[1]}.`,
      random.pick([
        `${capitalize(she)} had to wait for a long time.`,
        `After two weeks, the first green leaves came out.`,
      ]),
      `In ${season.after}, there were many ${food.colour} ${food.plural}.`,
      random.pick([
        `${name} gave some of them to ${hers} ${relative.name}.`,
        `The ${food.plural} tasted ${food.taste}.`,
        `${name} was proud of the garden.`,
      ]),
    ],
    questions: [
      ask(`What did ${name} want to grow?`, `${name} wanted to grow ${food.plural}.`),
      ask(`When did ${name} put the seeds into the earth?`, `${name} put the seeds into the earth in ${season.name}.`),
      ask(`What did ${name} do to help the plants?`, `${name} ${trouble[1]}.`),
      ask(`What colour were the ${food.plural}?`, `The ${food.plural} were ${food.colour}.`),
      ask(`When were the ${food.plural} ready?`, `The ${food.plural} were ready in ${season.after}.`),
    ],
    topics: ['a garden', food.plural, name, season.name, 'a small seed'],
    key: `garden ${name} ${food.name} ${trouble[1]}`,
  };
}

/** @param {Random} random @returns {Story} */
function dayAtWork(random) {
  const { name, she } = random.pick(people);
  const job = random.pick(jobs);
  const trouble = random.pick([
    ['was very tired', 'drank a cup of tea', 'felt better'],
    ['made a mistake', 'began again', 'did it well'],
    ['had too much to do', 'asked a friend for help', 'was ready before night'],
    ['could not find the right things', 'looked in every corner', 'found them under a cloth'],
    ['met a child who wanted to learn', 'showed the child how to do it', 'had a good helper'],
  ]);
  const hour = random.pick(['six', 'seven', 'eight', 'nine']);
  return {
    sentences: [
      random.pick([
        `${name} was ${withArticle(job.name)}.`,
        `${name} worked ${job.where} as ${withArticle(job.name)}.`,
      ]),
      `Every morning at ${hour} ${she} went to work.`,
      random.pick([`${capitalize(she)} liked to ${job.does}.`, `"I am happy when I can ${job.does}," ${she} said.`]),
      `One day, ${name} ${trouble[0]}.`,
      `So ${she} ${trouble[1]}.`,
      `After that, ${she} ${trouble[2]}.`,
      random.pick([
        `In the evening, ${name} went home and rested.`,
        `"Tomorrow is a new day," said ${name}.`,
        `Everyone in the town liked ${name}.`,
      ]),
    ],
    questions: [
      ask(`What was ${name}?`, `${name} was ${withArticle(job.name)}.`),
      ask(`When did ${name} go to work?`, `${name} went to work at ${hour} in the morning.`),
      ask(`What did ${name} like to do?`, `${name} liked to ${job.does}.`),
      ask(`What happened one day?`, `One day, ${name} ${trouble[0]}.`),
      ask(`What did ${name} do then?`, `${name} ${trouble[1]}.`),
    ],
    topics: [withArticle(job.name), name, 'work', `a day of ${withArticle(job.name)}`],
    key: `work ${name} ${job.name} ${trouble[0]}`,
  };
}

/** @param {Random} random @returns {Story} */
function gift(random) {
  const [giver, friend] = twoPeople(random);
  const thing = random.pick(belongings);
  const spot = random.pick(spots);
  const event = random.pick(['birthday', 'first day of school', 'last day of the holiday', 'party']);
  return {
    sentences: [
      random.pick([
        `It was time for ${friend.name}'s ${event}.`,
        `${giver.name} thought about ${friend.name}'s ${event}.`,
      ]),
      `${giver.name} wanted to give ${friend.name} ${withArticle(thing)}.`,
      `${capitalize(giver.she)} hid the ${thing} ${spot}.`,
      random.pick([`${friend.name} came into the house and looked around.`, `"Close your eyes," said ${giver.name}.`]),
      random.pick([`"What is it?" asked ${friend.name}.`, `"Is it for me?" asked ${friend.name}.`]),
      `${giver.name} gave ${friend.her} the ${thing}.`,
      random.pick([
        `"It is beautiful," said ${friend.name}.`,
        `${friend.name} was ${random.pick(moods)}.`,
        `"Thank you very much," said ${friend.name}.`,
      ]),
    ],
    questions: [
      ask(`What did ${giver.name} give to ${friend.name}?`, `${giver.name} gave ${friend.name} ${withArticle(thing)}.`),
      ask(`Who gave ${friend.name} a gift?`, `${giver.name} gave ${friend.name} a gift.`),
      ask(`Where did ${giver.name} hide the ${thing}?`, `${giver.name} hid the ${thing} ${spot}.`),
      ask(`Who got the ${thing}?`, `${friend.name} got the ${thing}.`),
    ],
    topics: ['a gift', withArticle(thing), friend.name, 'a birthday', `${giver.name} and ${friend.name}`],
    key: `gift ${giver.name} ${friend.name} ${thing}`,
  };
}

/** @param {Random} random @returns {Story} */
function journey(random) {
  const { name, she } = random.pick(people);
  const vehicle = random.pick(vehicles.filter(({ name: kind }) => !['tractor', 'truck'].includes(kind)));
  const place = random.pick(tripPlaces);
  const relative = random.pick(relatives);
  const weather = random.pick(weathers);
  const [animal] = random.sample(animals, 1);
  return {
    sentences: [
      random.pick([
        `${name} wanted to visit an old ${relative.name} near ${place.name}.`,
        `${name} went on a long journey to ${place.name}.`,
      ]),
      `${capitalize(she)} travelled by ${vehicle.name}.`,
      random.pick([
        `On the way there was ${weather.name === 'sun' ? 'a lot of sun' : weather.name}.`,
        `It was ${weather.adjective}.`,
      ]),
      `From far away, ${name} saw ${withArticle(animal.name)}.`,
      random.pick([`"Look at that!" ${she} said.`, `${capitalize(she)} had never seen one before.`]),
      random.pick([`After three hours, ${she} was there.`, `In the evening, ${she} came to ${place.name}.`]),
      random.pick([`"I am here at last," said ${name}.`, `${name} was tired but happy.`]),
    ],
    questions: [
      ask(`How did ${name} travel?`, `${name} travelled by ${vehicle.name}.`),
      ask(`What did ${name} see on the way?`, `${name} saw ${withArticle(animal.name)}.`),
      ask(`What animal did ${name} see?`, `${name} saw ${withArticle(animal.name)}.`),
      ask(`Who went on a journey?`, `${name} went on a journey.`),
    ],
    topics: ['a journey', withArticle(vehicle.name), name, place.name],
    key: `journey ${name} ${vehicle.name} ${place.name}`,
  };
}

/** @param {Random} random @returns {Story} */
function fearOvercome(random) {
  const { name, she, hers } = random.pick(people);
  const relative = random.pick(relatives);
  const [fear, words, deed] = random.pick([
    ['the dark', 'The dark is only the night without the sun', 'walked through the dark room'],
    ['deep water', 'I will hold your hand', 'learned to swim'],
    ['thunder', 'Thunder is only a loud sound', 'listened to the storm and laughed'],
    ['big dogs', 'Let the dog smell your hand first', 'touched a big dog'],
    ['high places', 'Look up and not down', 'climbed the ladder to the top'],
    ['the first day of school', 'The other children are new too', 'went to school and found a friend'],
    ['spiders', 'The spider is more afraid of you', 'carried the spider into the garden'],
    ['speaking before people', 'Take a deep breath and begin', 'told a story to the whole class'],
  ]);
  return {
    sentences: [
      random.pick([`${name} was afraid of ${fear}.`, `${name} was brave, but ${she} was afraid of ${fear}.`]),
      random.pick([`"I cannot do it," ${she} said.`, `${capitalize(she)} did not tell anyone.`]),
      `${capitalize(hers)} ${relative.name} said, "${words}."`,
      random.pick([`${name} thought about these words for a long time.`, `The next day, ${name} tried it.`]),
      `At last, ${she} ${deed}.`,
      random.pick([
        `Now ${name} was not afraid any more.`,
        `"It was not so hard," said ${name}.`,
        `${capitalize(hers)} ${relative.name} was proud.`,
      ]),
    ],
    questions: [
      ask(`What was ${name} afraid of?`, `${name} was afraid of ${fear}.`),
      ask(`Who was afraid of ${fear}?`, `${name} was afraid of ${fear}.`),
      ask(`Who helped ${name}?`, `${capitalize(hers)} ${relative.name} helped ${name}.`),
      ask(`What did ${name} do at last?`, `At last, ${name} ${deed}.`),
    ],
    topics: [`fear of ${fear}`, 'courage', name, 'being brave'],
    key: `fear ${name} ${fear} ${relative.name}`,
  };
}

/** A day in two or three lines: short enough to hold several people apart. @param {Random} random @returns {Story} */
function severalPeople(random) {
  const group = random.sample(people, random.chance(0.5) ? 3 : 2);
  const spotsUsed = random.sample(places, group.length);
  const foods = random.sample(plantFoods, group.length);
  const things = random.sample(belongings, group.length);
  const kind = random.pick(['places', 'foods', 'things']);
  const parts = group.map((person, i) => {
    if (kind === 'places') {
      const { at } = spotsUsed[i];
      return {
        sentence: `${person.name} is ${at}.`,
        questions: [
          ask(`Where is ${person.name}?`, `${person.name} is ${at}.`),
          ask(`Who is ${at}?`, `${person.name} is ${at}.`),
        ],
      };
    }
    if (kind === 'foods') {
      const { plural } = foods[i];
      return {
        sentence: `${person.name} likes ${plural}.`,
        questions: [
          ask(`What does ${person.name} like?`, `${person.name} likes ${plural}.`),
          ask(`Who likes ${plural}?`, `${person.name} likes ${plural}.`),
        ],
      };
    }
    const thing = withArticle(things[i]);
    return {
      sentence: `${person.name} has ${thing}.`,
      questions: [
        ask(`What does ${person.name} have?`, `${person.name} has ${thing}.`),
        ask(`Who has ${thing}?`, `${person.name} has ${thing}.`),
      ],
    };
  });
  return {
    sentences: parts.map(part => part.sentence),
    questions: parts.flatMap(part => part.questions),
    topics: [joinList(group.map(person => person.name))],
    key: `several ${kind} ${group.map(person => person.name).join(' ')} ${things[0]}`,
  };
}

const plots = [
  lostAndFound,
  dayOut,
  animalInNeed,
  cooking,
  animalWish,
  animalWish,
  sharing,
  shopping,
  atSea,
  garden,
  dayAtWork,
  gift,
  journey,
  fearOvercome,
];

/** @param {Random} random @returns {Story} */
export const tellStory = random => random.pick(plots)(random);

/** A story or a few plain statements, for questions about what was just told. @param {Random} random @returns {Story} */
export const tellForQuestions = random => (random.chance(0.3) ? severalPeople(random) : tellStory(random));
