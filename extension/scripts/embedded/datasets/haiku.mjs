// The haiku dataset: three lines of five, seven and five syllables on a theme, in the `sharegpt` format. Called by
// writeDatasets.mjs.
import { lines } from '../../../../media/corpus/language.mjs';

const haiku = lines(`
rain|Rain taps on the roof / all night long it tells the house / stories of the sea
snow|Snow on the mailbox / no one wrote to me today / but the sky sent this
the moon|Moon above the lake / two white boats cross each other / only one is real
an old tree|The oldest of trees / leans a little every year / to hear the children
morning|A cup of warm tea / the first bus hums in the street / day opens one eye
a cat|The cat on the sill / follows one small fly with eyes / as wide as the moon
autumn|Leaves let go at last / each one takes the longer way / down to the cold ground
the sea|The sea comes and goes / it brings shells to the children / and takes their castles
a train|The last train has left / a newspaper on the bench / turns its page alone
bread|New bread on the board / the whole house forgets the rain / and leans to the warmth
silence|After the last guest / the chairs talk to each other / without any sound
a spider|One thread in the light / the spider has been working / since before the sun
spring|A green tip of grass / lifts a stone without asking / and looks at the sky
a dog|The dog hears the key / long before the door opens / his tail knows who comes
stars|Old light comes to us / from stars that may be gone now / and still we make maps
a letter|Your letter arrived / the stamp has crossed more borders / than I ever will
fog|Fog takes the mountain / gives back a fence and one cow / and then takes the cow
a river|River under ice / you can hear it if you wait / talking in its sleep
a library|Books sleep on the shelf / a child pulls one by its spine / somewhere, a ship sails
summer|Noon, and not a breeze / even the road lies down flat / and dreams of the sea
a candle|One candle is lit / and all the corners come near / to see who is here
wind|The wind has no hands / but it opens every gate / and closes my book
an umbrella|Two under one roof / of thin black cloth and thin ribs / walking much too slow
a pond|A frog leaves the bank / rings travel out to the reeds / and the moon breaks up
winter|Breath hangs in the air / for a moment we can see / what we meant to say
a clock|The clock on the wall / cuts the night in equal bits / I eat every one
a garden|She counts her beans twice / once for the family's pot / once for the rabbits
night|The street lamps go out / the dark has no need to rush / it was always here
a bridge|Halfway on the bridge / I belong to neither bank / only to the wind
a mountain|Top of the mountain / nothing left for us to climb / but the evening sky
a child|She draws a round sun / in the corner of the page / and the room gets warm
a friend|You moved far away / I still buy two kinds of tea / and drink yours in rain
`).map(line => line.split('|'));

export const haikuRows = () =>
  haiku.map(([theme, poem]) => ({
    conversations: [
      { from: 'human', value: `Write a haiku about ${theme}.` },
      { from: 'gpt', value: poem.split(' / ').join('\n') },
    ],
  }));
