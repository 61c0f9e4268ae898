// Hand-written general facts of the small world: question phrasings before the arrow, answer phrasings after it, each
// separated by bars. Read by facts.mjs; every question here has one truth.
import { lines } from './language.mjs';

/** @type {{ questions: string[], answers: string[] }[]} */
export const generalFacts = lines(`
What is the sun?|Can you tell me what the sun is? > The sun is a star that gives us light and warmth.|The sun is a very hot star.
What is the moon? > The moon is a round body that moves around the earth.|The moon is a ball of rock that moves around the earth.
What is the earth?|What do we live on? > The earth is the round world that we live on.|The earth is our world. It is round.
When does the sun rise?|At what time of day does the sun rise? > The sun rises in the morning.|It rises in the morning.
When does the sun set?|At what time of day does the sun go down? > The sun sets in the evening.|It goes down in the evening.
Where does the sun rise? > The sun rises in the east.|It rises in the east.
Where does the sun set? > The sun sets in the west.|It sets in the west.
When can you see the stars?|When do the stars shine? > You can see the stars at night.|The stars shine at night.
When do we see the moon? > We see the moon at night.|The moon shines at night.
What is rain?|What is rain made of? > Rain is water that falls from the clouds.|Rain is made of drops of water.
What is snow?|What is snow made of? > Snow is frozen water that falls from the sky.|Snow is made of small pieces of ice.
What is ice? > Ice is frozen water.|Ice is water that is very cold and hard.
What is wind? > Wind is air that moves.|The wind is moving air.
What is a cloud?|What are clouds made of? > A cloud is made of tiny drops of water.|Clouds are made of many small drops of water.
What is a rainbow?|When do you see a rainbow? > A rainbow is a band of colours that you see when the sun shines through rain.|You see a rainbow when the sun shines in the rain.
What is thunder? > Thunder is the loud sound that follows lightning.|Thunder is the sound of a storm.
What is a river? > A river is water that flows to the sea.|A river is a long stream of water.
What is a lake? > A lake is a large body of water with land around it.
What is an island? > An island is land with water all around it.
What is a mountain? > A mountain is very high land.|A mountain is a very high hill.
What is a forest? > A forest is a place with many trees.|A forest is a large place full of trees.
What is a desert? > A desert is a dry place where it almost never rains.
What is a village? > A village is a small place where people live.|A village is smaller than a town.
What is a city? > A city is a very large town.|A city is a place where many people live.
What is a family? > A family is a group of people who belong together.|Parents and their children are a family.
What is a friend?|Who is a friend? > A friend is someone who likes you and helps you.|A friend is a person you can trust.
What is a home? > A home is the place where you live.
What is a story? > A story tells you what happened to someone.|A story tells about people and what they do.
What is a song? > A song is a tune with words.
What is a birthday?|What do people do on a birthday? > A birthday is the day on which a person was born.|People eat cake and give gifts on a birthday.
What is a seed? > A seed is a small thing from which a plant grows.
What is a tree? > A tree is a tall plant with a trunk and branches.
What is a flower? > A flower is the coloured part of a plant.
What is a leaf? > A leaf is the flat green part of a plant.
What is a map? > A map is a picture that shows where places are.
What is a bridge?|What is a bridge for? > A bridge is a way over a river or a road.|A bridge takes people over a river.
What is a number? > A number tells you how many things there are.
What is a word? > A word is made of letters and means something.
What is a sentence? > A sentence is a group of words that says something.
What is a question? > A question is a sentence that asks for an answer.
What is a dream? > A dream is a story that you see in your sleep.
What is a secret? > A secret is something that you do not tell.
What is a promise? > A promise says that you will do something.
What is a shadow?|Where do shadows come from? > A shadow is the dark shape behind a thing in the light.|A shadow is made when something stands in the light.
What is an echo? > An echo is a sound that comes back to you.
What is a mammal? > A mammal is an animal that feeds its young with milk.
What is a bird? > A bird is an animal with feathers and wings.
What is a fish? > A fish is an animal that lives in water.
What is an insect? > An insect is a small animal with six legs.
How many days are in a week?|How many days does a week have? > There are seven days in a week.|A week has seven days.
How many months are in a year?|How many months does a year have? > There are twelve months in a year.|A year has twelve months.
How many seasons are there?|How many seasons does a year have? > There are four seasons.|A year has four seasons.
How many hours are in a day?|How many hours does a day have? > There are twenty-four hours in a day.|A day has twenty-four hours.
How many minutes are in an hour?|How many minutes does an hour have? > There are sixty minutes in an hour.|An hour has sixty minutes.
How many wheels does a bicycle have? > A bicycle has two wheels.
How many sides does a triangle have?|How many sides are there in a triangle? > A triangle has three sides.
How many sides does a square have? > A square has four sides.
How many legs does a chair have?|How many legs does a table have? > It has four legs.
How many letters are in the alphabet? > There are twenty-six letters in the alphabet.
What shape is a ball?|What is the shape of a ball? > A ball is round.
What shape is a coin? > A coin is round and flat.
What comes after night? > The morning comes after night.
What comes after morning? > The afternoon comes after morning.
What comes before lunch?|Which meal do people eat first? > Breakfast comes before lunch.|People eat breakfast first.
When do people eat breakfast?|When is breakfast eaten? > People eat breakfast in the morning.
When do people eat lunch? > People eat lunch at noon.
When do people eat dinner? > People eat dinner in the evening.
When do people sleep?|When do most people sleep? > Most people sleep at night.|People sleep at night.
Where do people sleep?|Where does a person sleep? > People sleep in a bed.|A person sleeps in a bed.
Where do people cook?|Where do people make dinner? > People cook in the kitchen.
Where do people wash?|Where do people take a bath? > People wash in the bathroom.
Where do fish live?|Where can you find fish? > Fish live in water.
Where do trees grow? > Trees grow in the ground.|Many trees grow in the forest.
Where does milk come from?|What animal gives us milk? > Milk comes from cows.|Cows give us milk.
Where do eggs come from?|What animal lays eggs for us? > Eggs come from hens.|Hens lay eggs.
Where does wool come from?|What animal gives us wool? > Wool comes from sheep.|Sheep give us wool.
Where does wood come from? > Wood comes from trees.
Where does honey come from?|Who makes honey? > Honey comes from bees.|Bees make honey.
Where does silk come from? > Silk comes from silkworms.
Where does paper come from?|What is paper made from? > Paper is made from wood.
Where does bread come from?|Who makes bread? > A baker makes bread.|Bread comes from the bakery.
Which animal is the king of the animals? > The lion is called the king of the animals.
Which animal is the largest of all?|What is the largest animal? > The whale is the largest animal.
Which animal has a long neck?|What animal has a very long neck? > The giraffe has a very long neck.
Which animal has a trunk? > The elephant has a trunk.
Which animal has stripes? > The zebra has stripes.|The tiger has stripes.
Which animal builds a web?|Who makes a web? > A spider builds a web.
Which animal carries its house? > The snail carries its house.
Which bird cannot fly?|Name a bird that cannot fly. > The penguin cannot fly.|A penguin is a bird that cannot fly.
Which season is the coldest?|What is the coldest season? > Winter is the coldest season.
Which season is the hottest?|What is the hottest season? > Summer is the hottest season.
Which day is the first day of the week? > Monday is the first day of the week.
Which month is the first month of the year?|What is the first month? > January is the first month of the year.
Which month is the last month of the year?|What is the last month? > December is the last month of the year.
What do plants need?|What does a plant need to grow? > Plants need water, light and earth.|A plant needs water and light.
What do people need to live? > People need food, water and air.
What do babies drink? > Babies drink milk.
What do we breathe? > We breathe air.
What do people wear on their feet? > People wear shoes and socks on their feet.
What do people wear on their heads? > People wear hats on their heads.
What do people wear on their hands in winter? > People wear gloves on their hands.
What do you use to brush your teeth? > You use a toothbrush.
What do you do with a gift?|What do people do with a gift? > People open a gift and say thank you.
What do you say when someone helps you?|What should I say when someone helps me? > You say thank you.|You should say thank you.
What do you say when you meet someone? > You say hello.|You say hello to them.
What do you say when you leave? > You say goodbye.
What do you say when you make a mistake?|What should I say when I make a mistake? > You say that you are sorry.|You should say that you are sorry.
What do you say before you go to sleep? > You say good night.
What happens when it rains?|What happens in the rain? > When it rains, the ground gets wet.|The streets get wet.
What happens when ice gets warm?|What happens to ice in the sun? > The ice melts.|Ice melts and turns into water.
What happens when water boils?|What happens when water gets very hot? > Hot water turns into steam.|The water turns into steam.
What happens when you drop a glass? > The glass breaks.
What happens when you mix blue and yellow?|Which colour do blue and yellow make? > Blue and yellow make green.
What happens when you mix red and yellow?|Which colour do red and yellow make? > Red and yellow make orange.
What happens when you mix red and blue?|Which colour do red and blue make? > Red and blue make purple.
What happens when you mix black and white?|Which colour do black and white make? > Black and white make grey.
What colours does a rainbow have? > A rainbow has red, orange, yellow, green, blue and purple.
What does a red light mean?|What should you do at a red light? > A red light means stop.|You should stop at a red light.
What does a green light mean?|What should you do at a green light? > A green light means go.|You may go at a green light.
What does a caterpillar become? > A caterpillar becomes a butterfly.
What does a tadpole become? > A tadpole becomes a frog.
What does a seed become? > A seed becomes a plant.
What does an egg become? > A chick comes out of the egg.
What is bigger, a town or a village? > A town is bigger than a village.
What is faster, a car or a bicycle? > A car is faster than a bicycle.
What is faster, a plane or a train? > A plane is faster than a train.
What is heavier, a stone or a feather? > A stone is heavier than a feather.
What is hotter, fire or water? > Fire is hotter than water.
What is colder, ice or milk? > Ice is colder than milk.
What is higher, a hill or a mountain? > A mountain is higher than a hill.
Is the sun hot? > Yes, the sun is very hot.
Is ice warm? > No, ice is cold.
Is the sea salty?|What does the sea taste like? > Yes, the sea is salty.|The sea is salty.
Is fire dangerous? > Yes, fire is hot and can be dangerous.
Is it good to share? > Yes, it is good to share.|Yes, sharing makes people happy.
Is it good to lie? > No, it is better to tell the truth.
Is it safe to play with fire? > No, it is not safe to play with fire.
Can people fly? > No, people cannot fly, but they can travel in a plane.
Can stones swim? > No, a stone sinks in water.
Can plants walk? > No, plants stay in one place.
Can babies read? > No, babies cannot read yet.
How do you make tea?|How is tea made? > You boil water and put tea leaves in it.
How do you make bread?|How is bread made? > You mix flour and water and bake it in an oven.
How do you make soup? > You cook vegetables in hot water.
How do you make a sandwich? > You put cheese between two slices of bread.
How do you make a snowman? > You roll three big balls of snow and put them on top of each other.
How do you make friends?|How can I make a friend? > You can be kind, listen and share.
How do you cross the road?|How should I cross the road? > You look left and right and wait until the road is free.
How do you grow flowers?|How can I grow flowers? > You put seeds in the earth and give them water and light.
How do you stay healthy?|How can I stay healthy? > You eat well, sleep enough and move a lot.
How do you learn to read?|How can I learn to read? > You learn the letters and read a little every day.
How do you catch a fish? > You can catch a fish with a net.
How do you stay warm in winter? > You wear a warm coat, a scarf and gloves.
How do birds stay warm? > Their feathers keep them warm.
How do fish breathe? > Fish breathe in water with their gills.
How do cats drink? > Cats drink with their tongues.
Who lives in a castle? > A king or a queen lives in a castle.
Who wears a crown? > A king or a queen wears a crown.
Who brings the letters?|Who brings the mail? > The postman brings the letters.
Who puts out a fire? > Firefighters put out the fire.
Who helps you when you are ill? > A doctor helps you when you are ill.
Who cuts your hair? > A barber cuts your hair.
Who teaches in a school? > Teachers teach in a school.
Who sails on a ship?|Who works on a ship? > Sailors work on a ship.
What is a pirate?|Who is a pirate? > A pirate is a sailor who robs other ships.|A pirate is a robber at sea.
What is a treasure? > A treasure is a box of gold and other precious things.
What is an anchor?|What is an anchor for? > An anchor is a heavy iron hook that holds a ship in place.
What is a sail?|What is a sail for? > A sail is a big cloth that catches the wind and moves a ship.
What is the deck of a ship? > The deck is the floor of a ship.
Where is treasure hidden in old stories? > In old stories, treasure is hidden on an island.
`).map(line => {
  const [questions, answers] = line.split(' > ');
  return { questions: questions.split('|'), answers: answers.split('|') };
});
