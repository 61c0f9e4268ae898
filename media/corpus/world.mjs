// The small world that the embedded model knows: tables of animals, food, jobs, things, weather and time, each with one
// fixed truth per cell. Read by facts.mjs, stories.mjs and chats.mjs; holds words only, no sentences.
import { lines, table } from './language.mjs';

/** Sizes go from 1 (insects) to 7 (elephants and whales). `can` lists what else than its `move` the animal does. */
export const animals = table(
  'name plural kind size colour sleep habitat food sound young move cover legs can',
  `
bear|bears|mammal|5|brown|in a den|in the forest|berries and fish|growl|cub|walk|fur|four|swim climb
fox|foxes|mammal|3|red|in a den|in the forest|mice and berries|bark|cub|run|fur|four|swim
wolf|wolves|mammal|4|grey|in a den|in the forest|meat|howl|cub|run|fur|four|swim
rabbit|rabbits|mammal|2|brown|in a burrow|in the meadow|grass and carrots|squeak|kit|hop|fur|four|
mouse|mice|mammal|1|grey|in a small hole|in the field|seeds and cheese|squeak|pup|run|fur|four|climb
cat|cats|mammal|2|black|on a soft cushion|in the house|fish and meat|meow|kitten|walk|fur|four|climb
dog|dogs|mammal|3|brown|in a basket|in the house|meat and bones|bark|puppy|run|fur|four|swim
horse|horses|mammal|6|brown|in a stable|on the farm|hay and oats|neigh|foal|gallop|hair|four|swim
cow|cows|mammal|6|black and white|in a barn|on the farm|grass|moo|calf|walk|hair|four|
pig|pigs|mammal|4|pink|in a sty|on the farm|roots and corn|grunt|piglet|walk|skin|four|swim
sheep|sheep|mammal|4|white|in a fold|on the farm|grass|bleat|lamb|walk|wool|four|
goat|goats|mammal|4|white|in a shed|in the mountains|leaves and grass|bleat|kid|climb|hair|four|
lion|lions|mammal|5|golden|under a tree|in the grassland|meat|roar|cub|run|fur|four|climb
tiger|tigers|mammal|5|orange and black|in the tall grass|in the jungle|meat|roar|cub|run|fur|four|swim
monkey|monkeys|mammal|3|brown|in a tree|in the jungle|fruit and nuts|chatter|baby|climb|fur|four|
elephant|elephants|mammal|7|grey|standing up|in the grassland|leaves and grass|trumpet|calf|walk|skin|four|swim
giraffe|giraffes|mammal|6|yellow and brown|standing up|in the grassland|leaves|hum|calf|walk|hair|four|
zebra|zebras|mammal|5|black and white|standing up|in the grassland|grass|bark|foal|gallop|hair|four|
squirrel|squirrels|mammal|2|red|in a nest|in the forest|nuts and seeds|chatter|kit|climb|fur|four|
hedgehog|hedgehogs|mammal|2|brown|under dry leaves|in the garden|worms and insects|snuffle|hoglet|walk|spines|four|
bat|bats|mammal|1|black|in a cave|in the forest|insects|squeak|pup|fly|fur|two|fly
whale|whales|mammal|7|blue|in the deep water|in the sea|tiny shrimps|sing|calf|swim|skin|no|swim
seal|seals|mammal|5|grey|on the rocks|in the sea|fish|bark|pup|swim|fur|no|swim
owl|owls|bird|2|brown|in a hollow tree|in the forest|mice|hoot|owlet|fly|feathers|two|fly
duck|ducks|bird|2|white|in the reeds|by the pond|plants and insects|quack|duckling|swim|feathers|two|fly swim
hen|hens|bird|2|red|in a henhouse|on the farm|corn and seeds|cluck|chick|walk|feathers|two|
goose|geese|bird|3|white|near the water|on the farm|grass and corn|honk|gosling|walk|feathers|two|fly swim
eagle|eagles|bird|3|brown|in a high nest|in the mountains|fish and rabbits|scream|eaglet|fly|feathers|two|fly
swan|swans|bird|3|white|in a nest of reeds|on the lake|water plants|hiss|cygnet|swim|feathers|two|fly swim
penguin|penguins|bird|3|black and white|on the ice|in the cold south|fish|squawk|chick|swim|feathers|two|swim
parrot|parrots|bird|2|green|in a tree|in the jungle|fruit and nuts|squawk|chick|fly|feathers|two|fly climb
frog|frogs|amphibian|1|green|under wet leaves|by the pond|flies|croak|tadpole|hop|wet skin|four|swim
snake|snakes|reptile|2|green|under a rock|in the desert|mice and eggs|hiss|baby|slide|scales|no|swim
turtle|turtles|reptile|3|green|in its shell|in the sea|water plants|hiss|baby|swim|a hard shell|four|swim
shark|sharks|fish|6|grey|in the deep water|in the sea|fish|make no sound|pup|swim|rough skin|no|swim
bee|bees|insect|1|yellow and black|in a hive|in the garden|honey|buzz|grub|fly|hair|six|fly
ant|ants|insect|1|black|in a nest under the ground|in the garden|seeds and crumbs|make no sound|grub|walk|a hard skin|six|climb
butterfly|butterflies|insect|1|orange|under a leaf|in the meadow|sweet juice from flowers|make no sound|caterpillar|fly|tiny scales|six|fly
spider|spiders|small animal|1|brown|in a web|in the corner of a room|flies|make no sound|baby|climb|hair|eight|climb
`,
);

export const plantFoods = table(
  'name plural kind colour taste grows',
  `
apple|apples|fruit|red|sweet|on a tree
pear|pears|fruit|green|sweet|on a tree
plum|plums|fruit|purple|sweet|on a tree
cherry|cherries|fruit|red|sweet|on a tree
peach|peaches|fruit|orange|sweet|on a tree
orange|oranges|fruit|orange|sweet|on a tree
lemon|lemons|fruit|yellow|sour|on a tree
lime|limes|fruit|green|sour|on a tree
banana|bananas|fruit|yellow|sweet|on a tall plant
grape|grapes|fruit|purple|sweet|on a vine
strawberry|strawberries|fruit|red|sweet|on a small plant
raspberry|raspberries|fruit|red|sweet|on a bush
blueberry|blueberries|fruit|blue|sweet|on a bush
melon|melons|fruit|green|sweet|on the ground
carrot|carrots|vegetable|orange|sweet|under the ground
potato|potatoes|vegetable|brown|plain|under the ground
onion|onions|vegetable|white|sharp|under the ground
turnip|turnips|vegetable|white|plain|under the ground
radish|radishes|vegetable|red|sharp|under the ground
pea|peas|vegetable|green|sweet|in a pod
bean|beans|vegetable|green|plain|in a pod
cabbage|cabbages|vegetable|green|plain|on the ground
pumpkin|pumpkins|vegetable|orange|sweet|on the ground
leek|leeks|vegetable|green|sharp|in the ground
`,
);

export const madeFoods = table(
  'name colour taste from',
  `
bread|brown|plain|flour and water
cheese|yellow|salty|milk
butter|yellow|soft and salty|cream
honey|golden|sweet|the juice of flowers
flour|white|plain|wheat
jam|red|sweet|fruit and sugar
cake|brown|sweet|flour, eggs and sugar
soup|orange|warm and salty|water and vegetables
chocolate|brown|sweet|cocoa beans
tea|brown|a little bitter|dry leaves and hot water
sugar|white|sweet|sugar beets
salt|white|salty|sea water
toast|brown|crisp|bread
ice cream|white|cold and sweet|cream and sugar
porridge|white|plain|oats and milk
`,
);

export const jobs = table(
  'name does where uses',
  `
baker|bake bread|in a bakery|an oven
farmer|grow food|on a farm|a tractor
teacher|teach children|in a school|books
doctor|help sick people|in a hospital|medicine
nurse|care for sick people|in a hospital|bandages
gardener|plant flowers|in a garden|a spade
cook|cook meals|in a kitchen|a pan
carpenter|make things from wood|in a workshop|a saw
painter|paint walls|in houses|a brush
sailor|sail a ship|on the sea|a sail
fisherman|catch fish|on a boat|a net
pilot|fly a plane|in the sky|a plane
driver|drive a bus|on the road|a bus
tailor|make clothes|in a small shop|a needle
shoemaker|mend shoes|in a small shop|a hammer
shepherd|look after sheep|on the hills|a dog
firefighter|put out fires|in the town|a hose
postman|bring letters|in the streets|a bag
librarian|lend books|in a library|a computer
dentist|look after teeth|in a clinic|a small mirror
builder|build houses|on a building site|bricks
butcher|sell meat|in a shop|a sharp knife
singer|sing songs|on a stage|a microphone
writer|write stories|at a desk|a pen
miner|dig for coal|under the ground|a lamp
astronaut|travel in space|in a spaceship|a space suit
clockmaker|mend clocks|in a workshop|a tiny screwdriver
beekeeper|look after bees|in a garden|a veil
`,
);

export const tools = table(
  'name use',
  `
hammer|hit nails
saw|cut wood
spade|dig holes
broom|sweep the floor
needle|sew clothes
pen|write letters
pencil|draw pictures
brush|paint
comb|tidy hair
key|open a lock
knife|cut bread
spoon|eat soup
fork|eat cake
cup|drink tea
kettle|boil water
pan|fry eggs
oven|bake bread
lamp|light a room
candle|give light
umbrella|stay dry in the rain
clock|tell the time
map|find the way
compass|find north
rope|tie things
ladder|climb up high
bucket|carry water
towel|dry wet hands
basket|carry fruit
telescope|look at the stars
ruler|measure lines
net|catch fish
axe|chop wood
rake|gather leaves
bell|call people
whistle|make a loud sound
`,
);

/** Both directions are asked. */
export const opposites = lines(`
hot|cold
big|small
tall|short
fast|slow
old|new
happy|sad
loud|quiet
light|dark
wet|dry
full|empty
open|closed
clean|dirty
hard|soft
strong|weak
early|late
near|far
high|low
rich|poor
thick|thin
wide|narrow
deep|shallow
sharp|blunt
brave|afraid
kind|cruel
noisy|silent
rough|smooth
sweet|bitter
easy|difficult
safe|dangerous
good|bad
first|last
up|down
left|right
inside|outside
day|night
summer|winter
yes|no
always|never
push|pull
begin|end
give|take
buy|sell
laugh|cry
win|lose
awake|asleep
`).map(line => line.split('|'));

export const materials = table(
  'name material',
  `
table|wood
chair|wood
door|wood
pencil|wood and lead
window|glass
bottle|glass
mirror|glass
nail|iron
key|metal
coin|metal
spoon|metal
bell|metal
shirt|cotton
sock|wool
sweater|wool
scarf|wool
shoe|leather
belt|leather
book|paper
letter|paper
kite|paper and string
wall|stone
house|bricks
candle|wax
tyre|rubber
snowman|snow
boat|wood
basket|straw
pillow|cloth and feathers
ring|gold
`,
);

/** Colours of things that are neither animals nor food. */
export const thingColours = table(
  'name verb colour',
  `
the sky on a clear day|is|blue
the grass|is|green
the snow|is|white
the sun|is|yellow
the night sky|is|black
a leaf in summer|is|green
a leaf in autumn|is|brown
coal|is|black
blood|is|red
a rain cloud|is|grey
sand|is|yellow
the sea|is|blue
wood|is|brown
gold|is|yellow
silver|is|grey
a rose|is|red
a daisy|is|white
a violet|is|purple
a sunflower|is|yellow
fire|is|orange
a fire engine|is|red
milk|is|white
ink|is|blue
chalk|is|white
mud|is|brown
the moon|is|white
`,
);

export const places = table(
  'name at do see',
  `
the library|in the library|read books|many shelves
the beach|at the beach|build sand castles|the waves
the park|in the park|play games|green trees
the market|at the market|buy fruit|busy stalls
the school|at the school|learn to read|a big blackboard
the kitchen|in the kitchen|cook dinner|a warm stove
the garden|in the garden|water the flowers|red roses
the forest|in the forest|walk among the trees|tall trees
the museum|in the museum|look at old things|old paintings
the farm|on the farm|feed the animals|cows and hens
the harbour|at the harbour|watch the ships|tall ships
the station|at the station|wait for a train|long trains
the bakery|in the bakery|buy bread|fresh bread
the zoo|at the zoo|look at wild animals|lions and zebras
the lake|at the lake|swim|white swans
the mountain|on the mountain|climb|deep valleys
the river|by the river|catch fish|small boats
the village|in the village|visit friends|small houses
the castle|in the castle|walk on the walls|high towers
the playground|on the playground|use the swings|a long slide
the theatre|in the theatre|watch a play|a red curtain
the bedroom|in the bedroom|sleep|a soft bed
`,
);

export const vehicles = table(
  'name where wheels who',
  `
car|on the road|four|a driver
bus|on the road|four|a driver
bicycle|on the road|two|a rider
train|on rails|many|a driver
tram|on rails|many|a driver
boat|on the water|no|a sailor
ship|on the sea|no|a captain
plane|in the air|three|a pilot
tractor|on the farm|four|a farmer
truck|on the road|six|a driver
sledge|on the snow|no|a rider
balloon|in the air|no|a pilot
`,
);

export const weathers = table(
  'name adjective happens wear do',
  `
rain|rainy|water falls from the clouds|a raincoat|jump in the puddles
snow|snowy|white flakes fall from the sky|a warm coat and boots|build a snowman
sun|sunny|the sun shines|a hat|play outside
wind|windy|the air moves fast|a jacket|fly a kite
fog|foggy|the air is white and it is hard to see|a bright scarf|walk slowly
frost|frosty|the ground is cold and white|gloves|slide on the ice
storm|stormy|there is thunder and lightning|a thick coat|stay inside
`,
);

export const seasons = table(
  'name after feel happens',
  `
spring|summer|mild|the flowers grow
summer|autumn|hot|the days are long
autumn|winter|cool|the leaves fall
winter|spring|cold|the days are short
`,
);

export const days = 'Monday Tuesday Wednesday Thursday Friday Saturday Sunday'.split(' ');
export const months = 'January February March April May June July August September October November December'.split(
  ' ',
);
export const numbers =
  'zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty'.split(
    ' ',
  );

export const bodyParts = table(
  'name plural use many',
  `
eye|eyes|see|two
ear|ears|hear|two
nose|nose|smell|one
mouth|mouth|eat and speak|one
hand|hands|hold things|two
foot|feet|walk|two
leg|legs|run|two
tooth|teeth|chew food|many
tongue|tongue|taste food|one
finger|fingers|touch things|ten
knee|knees|bend the legs|two
heart|heart|move the blood|one
lung|lungs|breathe|two
`,
);

/** Where things are kept. */
export const keptThings = table(
  'name verb where',
  `
milk|is|in the fridge
books|are|on the shelf
clothes|are|in the wardrobe
shoes|are|by the door
plates|are|in the cupboard
toys|are|in the toy box
money|is|in a purse
flowers|are|in a vase
fish|are|in a bowl of water
cars|are|in the garage
hay|is|in the barn
letters|are|in the drawer
ships|are|in the harbour
bread|is|in the bread box
tools|are|in the shed
keys|are|on the hook
pictures|are|on the wall
soap|is|by the sink
`,
);

export const feelings = table(
  'name when then',
  `
happy|something good happens|smile
sad|they lose something they love|cry
angry|something is not fair|frown
tired|they have worked all day|go to bed
hungry|they have not eaten|eat something
thirsty|they have not drunk anything|drink water
afraid|they see danger|hide
proud|they have done something well|stand tall
lonely|nobody is with them|call a friend
bored|there is nothing to do|look for a game
cold|they have no coat in winter|put on a coat
hot|they stand in the sun|sit in the shade
ill|they catch a cold|stay in bed
surprised|something new happens|open their eyes wide
excited|a holiday is near|jump up and down
`,
);

/** `why`: the question without "Why"; `because`: the reason; `fact`: what is so, as the start of the answer. */
export const causes = table(
  'why fact because',
  `
do people sleep|people sleep|they are tired
do people eat|people eat|they need energy
do people drink water|people drink water|the body needs water
do people wear coats in winter|people wear coats in winter|it is cold
do people use umbrellas|people use umbrellas|they want to stay dry
do people wash their hands|people wash their hands|they want them to be clean
do people go to school|people go to school|they want to learn
do people work|people work|they need money
do people go to the doctor|people go to the doctor|they are ill
do people brush their teeth|people brush their teeth|they want to keep them healthy
do people read books|people read books|they like stories
do people light lamps at night|people light lamps at night|it is dark
do people laugh|people laugh|something is funny
do people cry|people cry|they are sad
do people look at a clock|people look at a clock|they want to know the time
do people use maps|people use maps|they do not know the way
do people plant seeds|people plant seeds|they want plants to grow
do people build houses|people build houses|they need a place to live
do people lock their doors|people lock their doors|they want to be safe
do people keep dogs|people keep dogs|dogs are good friends
do birds fly south|birds fly south|the winter is too cold for them
do birds build nests|birds build nests|they need a place for their eggs
do bees visit flowers|bees visit flowers|they look for sweet juice
do cats chase mice|cats chase mice|they like to hunt
do squirrels hide nuts|squirrels hide nuts|they need food in winter
do bears sleep in winter|bears sleep in winter|there is little food
do fish live in water|fish live in water|they breathe in water
do dogs wag their tails|dogs wag their tails|they are happy
do ducks swim so well|ducks swim so well|they have wide feet
do owls hunt at night|owls hunt at night|they see well in the dark
do leaves fall in autumn|leaves fall in autumn|the trees rest in winter
do plants need rain|plants need rain|they drink water with their roots
do plants need light|plants need light|they use light to grow
do flowers smell sweet|flowers smell sweet|they want bees to come
does ice melt|ice melts|it gets warm
does water freeze|water freezes|it gets very cold
does bread rise|bread rises|there is yeast in it
does a fire burn|a fire burns|it has wood and air
does a boat float|a boat floats|the water holds it up
does a stone sink|a stone sinks|it is heavy
does a kite fly|a kite flies|the wind lifts it
does a wet coat dry|a wet coat dries|the sun warms it
does it get dark at night|it gets dark at night|the sun goes down
does a glass break when it falls|a glass breaks when it falls|glass is hard and thin
does snow fall in winter|snow falls in winter|the air is cold
does a baby cry|a baby cries|it is hungry or tired
does a clock tick|a clock ticks|its wheels turn
does a horse wear shoes|a horse wears shoes|the road is hard
`,
);

/** Words for lists: "List three fruits." */
export const categories = [
  ['animals', animals.map(animal => animal.plural)],
  ['birds', animals.filter(animal => animal.kind === 'bird').map(animal => animal.plural)],
  ['farm animals', animals.filter(animal => animal.habitat === 'on the farm').map(animal => animal.plural)],
  ['forest animals', animals.filter(animal => animal.habitat === 'in the forest').map(animal => animal.plural)],
  ['sea animals', animals.filter(animal => animal.habitat === 'in the sea').map(animal => animal.plural)],
  ['insects', animals.filter(animal => animal.kind === 'insect').map(animal => animal.plural)],
  ['fruits', plantFoods.filter(food => food.kind === 'fruit').map(food => food.plural)],
  ['vegetables', plantFoods.filter(food => food.kind === 'vegetable').map(food => food.plural)],
  ['foods', madeFoods.map(food => food.name)],
  ['colours', 'red blue green yellow orange purple brown black white grey pink'.split(' ')],
  ['jobs', jobs.map(job => job.name)],
  ['tools', 'a hammer|a saw|a spade|a rake|an axe|a broom|a ladder|a rope|a ruler|a brush'.split('|')],
  ['days of the week', days],
  ['months', months],
  ['seasons', seasons.map(season => season.name)],
  ['numbers', numbers.slice(1, 13)],
  ['things with wheels', 'cars|buses|bicycles|trains|trucks|tractors'.split('|')],
  ['things that fly', 'birds|planes|bees|kites|bats|balloons'.split('|')],
  ['kinds of weather', weathers.map(weather => weather.name)],
  ['clothes', 'a shirt|a coat|a hat|a scarf|a sweater|a dress|a sock|a glove'.split('|')],
  ['feelings', 'joy|fear|anger|sadness|hope|pride|love'.split('|')],
  ['parts of the body', 'the hand|the foot|the nose|the mouth|the knee|the ear|the eye'.split('|')],
  ['things in a kitchen', 'a pan|a spoon|a knife|a cup|a kettle|an oven|a plate'.split('|')],
  ['things in the sky', 'the sun|the moon|the stars|the clouds|birds|planes'.split('|')],
  ['drinks', 'water|milk|tea|juice|coffee|lemonade'.split('|')],
  ['games', 'chess|football|tag|hide and seek|cards|tennis'.split('|')],
  ['flowers', 'roses|daisies|violets|sunflowers|tulips|lilies'.split('|')],
  ['trees', 'the oak|the pine|the birch|the apple tree|the willow'.split('|')],
  ['instruments', 'the drum|the flute|the piano|the violin|the trumpet|the guitar'.split('|')],
  ['shapes', 'the circle|the square|the triangle|the star|the line'.split('|')],
].map(([name, members]) => ({ name, members }));

export const people = [
  ...'Anna Clara Emma Grace Ida Kate Lily Mia Nina Olive Rosa Ruth Ella Wendy Alice Jane'
    .split(' ')
    .map(name => ({ name, she: 'she', her: 'her', hers: 'her', child: 'girl' })),
  ...'Ben Daniel Felix Henry Jack Leo Max Noah Oscar Paul Peter Sam Tom Victor Hugo Adam'
    .split(' ')
    .map(name => ({ name, she: 'he', her: 'him', hers: 'his', child: 'boy' })),
];

export const relatives = [
  ...['mother', 'grandmother', 'sister', 'aunt'].map(name => ({ name, she: 'she', her: 'her', hers: 'her' })),
  ...['father', 'grandfather', 'brother', 'uncle'].map(name => ({ name, she: 'he', her: 'him', hers: 'his' })),
];

/** Small things that people own, lose, find and give. */
export const belongings = lines(`
red ball
blue kite
green hat
old book
small key
wooden boat
warm scarf
silver ring
new pencil
little bell
yellow umbrella
brown bag
toy train
gold coin
paper plane
pair of gloves
drum
doll
music box
black pen
white shell
round stone
picture
watch
`);

/** Spots where things lie: "under the bed". */
export const spots = lines(`
under the bed
behind the door
on the table
in the garden
in the kitchen
under the old tree
beside the river
in the basket
on the shelf
behind the sofa
in the drawer
near the gate
by the window
in the grass
on the stairs
in the shed
`);

export const times = lines(`
in the morning
in the afternoon
in the evening
on Monday
on Tuesday
on Wednesday
on Thursday
on Friday
on Saturday
on Sunday
after school
before dinner
after breakfast
at noon
`);
