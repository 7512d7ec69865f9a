// Simple things that are true, as questions with several phrasings and short answers.
// Each maker returns [questions, answers].

/** @typedef {[string[], string[]]} Fact */

// animal | legs | sound | food | home | baby | size
const ANIMALS = `dog|4|woof|meat and dog food|a house with people|puppy
cat|4|meow|meat and fish|a house with people|kitten
cow|4|moo|grass|a farm|calf
horse|4|neigh|grass and hay|a stable|foal
pig|4|oink|corn, roots and vegetables|a farm|piglet
sheep|4|baa|grass|a farm|lamb
goat|4|bleat|grass and leaves|a farm or in the mountains|kid
duck|2|quack|plants, seeds and bugs|a pond|duckling
chicken|2|cluck|seeds and worms|a coop on a farm|chick
lion|4|roar|meat|the grassland of Africa|cub
tiger|4|roar|meat|the forests of Asia|cub
bear|4|growl|berries, fish and honey|the forest|cub
polar bear|4|growl|seals|the cold north, on the ice of the Arctic|cub
penguin|2||fish|the cold south, near Antarctica|chick
elephant|4|trumpet|grass, leaves and fruit|Africa and Asia|calf
giraffe|4||leaves from tall trees|Africa|calf
zebra|4||grass|Africa|foal
monkey|2||fruit and nuts|the trees in warm forests|
panda|4||bamboo|the bamboo forests of China|cub
kangaroo|2||grass|Australia|joey
koala|4||leaves of the eucalyptus tree|the trees of Australia|joey
rabbit|4||grass, leaves and carrots|a burrow in the ground|
mouse|4|squeak|seeds and cheese|a small hole|
squirrel|4||nuts and seeds|the trees|
fox|4||mice, birds and berries|a den in the forest|cub
wolf|4|howl|meat|the forest|pup
frog|4|croak|flies and other bugs|a pond|tadpole
turtle|4||plants, worms and fish|the water and on land|
snake|0|hiss|mice and eggs|holes, woods and deserts|
fish|0||plants, worms and small fish|the water|
whale|0||tiny sea animals and fish|the sea|calf
dolphin|0||fish|the sea|calf
shark|0||fish|the sea|pup
octopus|8||crabs and shells|the sea|
spider|8||flies and other bugs|a web|
bee|6|buzz|nectar from flowers|a hive|
ant|6||seeds, leaves and sweet things|a nest in the ground|
butterfly|6||nectar from flowers|gardens and meadows|caterpillar
owl|2|hoot|mice|the trees|owlet
bird|2|tweet|seeds, worms and fruit|a nest|chick
camel|4||dry grass and plants|the desert|calf
crocodile|4||fish and meat|rivers in warm lands|
deer|4||grass and leaves|the forest|fawn
hedgehog|4||worms and bugs|hedges and gardens|
bat|2||bugs and fruit|caves and old houses|pup
snail|0||leaves|the garden|`
const NUMBERS = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten', 'eleven', 'twelve', 'thirteen', 'fourteen', 'fifteen', 'sixteen', 'seventeen', 'eighteen', 'nineteen', 'twenty']
const LEGS_OF_EIGHT = new Set(['octopus'])
/** @param {string} text */
const upper = text => text[0].toUpperCase() + text.slice(1)
/** @param {string} name */
const an = name => `${/^[aeo]/.test(name) ? 'an' : 'a'} ${name}`
/** @param {string} name */
const many = name => ({ mouse: 'mice', wolf: 'wolves', sheep: 'sheep', fish: 'fish', octopus: 'octopuses', deer: 'deer', fox: 'foxes', butterfly: 'butterflies' })[name] ?? `${name}s`

/** @returns {Fact[]} */
function animals() {
  /** @type {Fact[]} */
  const facts = []
  for (const line of ANIMALS.split('\n')) {
    const [name, legs, sound, food, home, baby] = line.split('|')
    const n = Number(legs)
    const word = NUMBERS[n]
    const limbs = LEGS_OF_EIGHT.has(name) ? 'arms' : 'legs'
    facts.push([
      [`How many ${limbs} does ${an(name)} have?`, `How many ${limbs} do ${many(name)} have?`, `How many ${limbs} has ${an(name)}?`, `Do you know how many ${limbs} ${an(name)} has?`, `Tell me how many ${limbs} ${an(name)} has.`],
      n ? [`${upper(an(name))} has ${word} ${limbs}.`, `It has ${word} ${limbs}.`, `${upper(word)}. ${upper(an(name))} has ${word} ${limbs}.`] : [`${upper(an(name))} has no legs.`, `None! ${upper(an(name))} has no legs.`],
    ])
    if (sound) facts.push([
      [`What sound does ${an(name)} make?`, `What does ${an(name)} say?`, `What does the ${name} say?`, `What noise does ${an(name)} make?`, `How does ${an(name)} sound?`],
      /roar|growl|trumpet|neigh|howl|bleat|squeak|hiss|hoot|croak/.test(sound) ? [`${upper(an(name))} can ${sound}.`, `It makes a loud ${sound}.`.replace('loud squeak', 'little squeak').replace('loud hiss', 'quiet hiss')] : [`${upper(an(name))} says ${sound}.`, `${upper(sound)}! That is what ${an(name)} says.`],
    ])
    facts.push([
      [`What do ${many(name)} eat?`, `What does ${an(name)} eat?`, `What do ${many(name)} like to eat?`, `What food does ${an(name)} eat?`, `Do you know what ${many(name)} eat?`],
      [`${upper(many(name))} eat ${food}.`, `They eat ${food}.`, `${upper(an(name))} eats ${food}.`],
    ])
    facts.push([
      [`Where do ${many(name)} live?`, `Where does ${an(name)} live?`, `Where can I find ${an(name)}?`, `Where is the home of ${an(name)}?`],
      [live(name, home), `They live ${place(home)}.`],
    ])
    if (baby) facts.push([
      [`What is a baby ${name} called?`, `What do you call a baby ${name}?`, `What is the name of a baby ${name}?`, `How do you call a young ${name}?`],
      [`A baby ${name} is called ${an(baby)}.`, `It is called ${an(baby)}.`, `You call it ${an(baby)}.`],
    ])
  }
  for (const name of ['cow', 'dog', 'cat', 'horse', 'lion', 'bird', 'sheep', 'elephant', 'rabbit', 'tiger', 'goat', 'pig']) facts.push([
    [`What do ${many(name)} drink?`, `What does ${an(name)} drink?`, `Do ${many(name)} drink water?`, `What do ${many(name)} like to drink?`],
    [`${upper(many(name))} drink water.`, `They drink water.`, `Water! ${upper(many(name))} drink water.`],
  ])
  return facts
}
/** @param {string} home */
const place = home => /^(the|a) (water|sea|forest|trees|garden|grassland|forests|cold|bamboo|warm|pond|desert|house|stable|coop|web|hive|nest|burrow|den|small)/.test(home) || /^(holes|gardens|hedges|caves|rivers|Africa|Australia)/.test(home) ? `in ${home}` : `on ${home}`
/** @param {string} name @param {string} home */
const live = (name, home) => `${upper(many(name))} live ${place(home)}.`

const CAPITALS = `France|Paris;Germany|Berlin;Italy|Rome;Spain|Madrid;England|London;Scotland|Edinburgh;Ireland|Dublin;Portugal|Lisbon;Greece|Athens;Russia|Moscow;China|Beijing;Japan|Tokyo;India|New Delhi;Egypt|Cairo;Kenya|Nairobi;Canada|Ottawa;Mexico|Mexico City;Brazil|Brasilia;Argentina|Buenos Aires;Australia|Canberra;Norway|Oslo;Sweden|Stockholm;Denmark|Copenhagen;Finland|Helsinki;Poland|Warsaw;Austria|Vienna;Hungary|Budapest;Turkey|Ankara;the United States|Washington;Belgium|Brussels;the Netherlands|Amsterdam;Cuba|Havana;Peru|Lima;Chile|Santiago;Thailand|Bangkok;South Korea|Seoul;Iceland|Reykjavik;the Czech Republic|Prague;Wales|Cardiff;Ukraine|Kyiv`

/** @returns {Fact[]} */
function capitals() {
  return CAPITALS.split(';').map(each => {
    const [country, city] = each.split('|')
    return [
      [`What is the capital of ${country}?`, `What's the capital of ${country}?`, `Which city is the capital of ${country}?`, `Do you know the capital of ${country}?`, `Tell me the capital of ${country}.`, `Name the capital of ${country}.`, `What is the capital city of ${country}?`, `Can you tell me the capital of ${country}?`],
      [`The capital of ${country} is ${city}.`, `It is ${city}.`, `${city}. It is the capital of ${country}.`],
    ]
  })
}

const COLORS = `the sky|blue;grass|green;the sun|yellow;snow|white;a banana|yellow;a strawberry|red;a lemon|yellow;an orange|orange;a carrot|orange;milk|white;a tomato|red;a polar bear|white;a pumpkin|orange;a leaf in summer|green;chocolate|brown;a frog|green;blood|red;a fire truck|red;a plum|purple;the night sky|black;the sea|blue;a cucumber|green;coal|black;a flamingo|pink;a pea|green;a cherry|red`
/** @returns {Fact[]} */
function colors() {
  return COLORS.split(';').map(each => {
    const [thing, color] = each.split('|')
    return [
      [`What color is ${thing}?`, `What is the color of ${thing}?`, `Which color is ${thing}?`, `What colour is ${thing}?`, `Do you know what color ${thing} is?`, `Tell me the color of ${thing}.`],
      [`${upper(thing)} is ${color}.`, `It is ${color}.`, `${upper(color)}! ${upper(thing)} is ${color}.`],
    ]
  })
}

const BOOKS = `Romeo and Juliet|William Shakespeare;Hamlet|William Shakespeare;Alice in Wonderland|Lewis Carroll;Peter Pan|J. M. Barrie;Pinocchio|Carlo Collodi;Winnie-the-Pooh|A. A. Milne;The Jungle Book|Rudyard Kipling;The Wizard of Oz|L. Frank Baum;Harry Potter|J. K. Rowling;The Little Mermaid|Hans Christian Andersen;The Ugly Duckling|Hans Christian Andersen;Peter Rabbit|Beatrix Potter;Treasure Island|Robert Louis Stevenson;The Little Prince|Antoine de Saint-Exupery;The Hobbit|J. R. R. Tolkien;Oliver Twist|Charles Dickens;A Christmas Carol|Charles Dickens;Tom Sawyer|Mark Twain;Heidi|Johanna Spyri;The Snow Queen|Hans Christian Andersen;Black Beauty|Anna Sewell;Robinson Crusoe|Daniel Defoe;The Secret Garden|Frances Hodgson Burnett;Macbeth|William Shakespeare`
/** @returns {Fact[]} */
function books() {
  return BOOKS.split(';').map(each => {
    const [title, author] = each.split('|')
    return /** @type {Fact} */ ([
      [`Who wrote ${title}?`, `Who is the author of ${title}?`, `Do you know who wrote ${title}?`, `By whom is ${title}?`, `Tell me who wrote ${title}.`, `Which writer wrote ${title}?`, `${title}, who wrote it?`],
      [`${author} wrote ${title}.`, `It was ${author}.`, `${title} was written by ${author}.`],
    ])
  })
}

// question / question | answer / answer
const SINGLE = `Why do birds fly?/Why can birds fly?/How do birds fly?/How can a bird fly?/Why do birds have wings?|Birds fly to find food and to stay safe. They have wings and light bones./They have wings and feathers, and their bones are light. So they can fly./Birds flap their wings and push the air down. So they go up.
Why is the sky blue?/Why does the sky look blue?/Do you know why the sky is blue?/Tell me why the sky is blue.|The air spreads the blue light of the sun all over the sky./Sunlight has many colors, and the air spreads the blue best.
Why does it rain?/Where does rain come from?/What makes rain?/How is rain made?|Water goes up into the clouds. When the clouds are full of drops, it rains./Rain comes from clouds. They are made of little drops of water.
Why is grass green?/Why are leaves green?|They have a green stuff inside that helps them make food from the sun.
Why do leaves fall?/Why do trees lose their leaves?|In autumn many trees drop their leaves to rest in the cold winter.
What is the biggest animal in the world?/What is the largest animal?/Which animal is the biggest?/What is the biggest animal?/Which animal is the largest on Earth?/Name the biggest animal in the world.|The blue whale is the biggest animal in the world./It is the blue whale. It lives in the sea.
What is the biggest land animal?/What is the biggest animal on land?/Which land animal is the largest?|The elephant is the biggest animal on land./It is the African elephant.
What is the tallest animal?/Which animal is the tallest?/What animal has the longest neck?|The giraffe. It has a very long neck./It is the giraffe.
What is the fastest animal?/Which animal runs fastest?/What is the fastest animal on land?|The cheetah is the fastest animal on land./It is the cheetah.
What is the smallest bird?/Which bird is the smallest?|The hummingbird is the smallest bird./It is a hummingbird.
What is the biggest bird?/Which bird is the largest?|The ostrich is the biggest bird. It cannot fly./It is the ostrich.
What is the highest mountain?/What is the tallest mountain in the world?/Which mountain is the highest?|Mount Everest is the highest mountain in the world./It is Mount Everest.
What is the biggest ocean?/Which ocean is the largest?|The Pacific Ocean is the biggest ocean./It is the Pacific.
What is the biggest planet?/Which planet is the largest?|Jupiter is the biggest planet around our sun./It is Jupiter.
What planet do we live on?/Which planet is our home?/What is our planet called?|We live on the planet Earth./It is called Earth.
What is the sun?/Is the sun a star?|The sun is a big hot star. It gives us light./The sun is a star. It gives us light and keeps us warm.
What is the moon?/Does the moon shine?|The moon is a big ball of rock that goes around the Earth. It shines with the light of the sun.
What is a rainbow?/How is a rainbow made?/How do you make a rainbow?|When the sun shines on the rain, the light splits into many colors. That is a rainbow.
How many colors are in a rainbow?/How many colors does a rainbow have?/What are the colors of the rainbow?|A rainbow has seven colors: red, orange, yellow, green, blue, indigo and violet./Red, orange, yellow, green, blue, indigo and violet. They are seven.
What is snow?/What is snow made of?|Snow is made of tiny crystals of ice that fall from the clouds./It is frozen water.
What is ice?/What is ice made of?|Ice is frozen water./Ice is water that is very cold and hard.
What do plants need?/What do plants need to grow?/How do plants grow?/What does a flower need?|Plants need water, light and air./They need sun, water and good soil.
What do bees make?/Who makes honey?/Where does honey come from?|Bees make honey./Honey comes from bees.
Where does milk come from?/Who gives us milk?|Milk comes from cows./Cows give us milk.
Where do eggs come from?/Who lays eggs?|Hens lay eggs./Eggs come from hens.
What is bread made of?/How is bread made?|Bread is made of flour and water, and it is baked in an oven.
What is cheese made of?/How is cheese made?|Cheese is made of milk.
How many days are in a week?/How many days does a week have?|There are seven days in a week./Seven.
What are the days of the week?/Name the days of the week./Can you say the days of the week?|Monday, Tuesday, Wednesday, Thursday, Friday, Saturday and Sunday.
How many months are in a year?/How many months does a year have?|There are twelve months in a year./Twelve.
What are the months of the year?/Name the months./Can you say all the months?|January, February, March, April, May, June, July, August, September, October, November and December.
How many days are in a year?/How many days does a year have?|A year has 365 days. A leap year has 366./There are 365 days in a year.
How many hours are in a day?/How many hours does a day have?|A day has 24 hours./There are 24 hours in a day.
How many minutes are in an hour?/How many minutes does an hour have?|An hour has 60 minutes./Sixty.
How many seconds are in a minute?/How many seconds does a minute have?|A minute has 60 seconds./Sixty.
What are the four seasons?/Name the seasons./How many seasons are there?|There are four seasons: spring, summer, autumn and winter./Spring, summer, autumn and winter.
How many fingers do you have on one hand?/How many fingers are on a hand?/How many fingers does a hand have?|A hand has five fingers./Five, with the thumb.
How many fingers do people have?/How many toes do people have?|People have ten./Most people have ten.
How many eyes do people have?/How many ears do people have?/How many hands does a person have?/How many legs does a person have?/How many feet do people have?|People have two./Two.
How many wheels does a car have?/How many wheels are on a car?|A car has four wheels./Four.
How many wheels does a bike have?/How many wheels does a bicycle have?|A bike has two wheels./Two.
How many sides does a triangle have?/How many corners does a triangle have?|A triangle has three./Three.
How many sides does a square have?/How many corners does a square have?|A square has four./Four.
What shape is a ball?/What shape is the sun?|It is round./Round, like a circle.
What do you get when you mix blue and yellow?/What color do blue and yellow make?/How do I make green?|Blue and yellow make green.
What do you get when you mix red and yellow?/What color do red and yellow make?/How do I make orange?|Red and yellow make orange.
What do you get when you mix red and blue?/What color do red and blue make?/How do I make purple?|Red and blue make purple.
What do you get when you mix black and white?/What color do black and white make?|Black and white make gray.
What is the opposite of big?/What is the opposite of large?|The opposite of big is small./Small.
What is the opposite of hot?|The opposite of hot is cold./Cold.
What is the opposite of happy?|The opposite of happy is sad./Sad.
What is the opposite of day?|The opposite of day is night./Night.
What is the opposite of up?|The opposite of up is down./Down.
What is the opposite of fast?|The opposite of fast is slow./Slow.
What is the opposite of old?|The opposite of old is young or new.
Which is bigger, a mouse or an elephant?/Is an elephant bigger than a mouse?/Who is bigger, an elephant or a mouse?|An elephant is much bigger than a mouse.
Which is bigger, a cat or a horse?/Is a horse bigger than a cat?|A horse is bigger than a cat.
Which is bigger, the sun or the moon?/Is the sun bigger than the moon?|The sun is much bigger than the moon.
Which is faster, a snail or a rabbit?/Who is faster, a rabbit or a snail?|A rabbit is much faster than a snail.
Is a spider an insect?/Are spiders insects?|No. Spiders have eight legs, and insects have six.
Is a whale a fish?/Are whales fish?|No, a whale is not a fish. It breathes air like we do.
Can penguins fly?/Do penguins fly?|No, penguins cannot fly. But they swim very well.
Can fish walk?/Do fish have legs?|No. Fish swim in the water with their fins.
Do fish sleep?|Yes, fish rest too, but most of them cannot close their eyes.
Do cats like milk?/Do cats drink milk?|Many cats like milk, but water is better for them.
Why do cats purr?/Why does my cat purr?|Cats often purr when they feel good.
Why do dogs bark?/Why does my dog bark?|Dogs bark to talk. They may be happy, scared, or want to warn you.
Why do dogs wag their tails?/Why does a dog wag its tail?|A dog often wags its tail when it is happy.
Why do we sleep?/Why do people sleep?/Why do I need sleep?|We sleep so that our body and our head can rest.
Why do we eat?/Why do people eat?|Food gives us strength to play and grow.
Why do we brush our teeth?/Why should I brush my teeth?|We brush our teeth to keep them clean and strong.
Why should I wash my hands?/Why do we wash our hands?|Washing takes away dirt and germs, so we stay well.
Why is the sea salty?/Why is the ocean salty?|Rivers carry salt from the rocks into the sea, and it stays there.
Why is it dark at night?/Why does it get dark?|The Earth turns, and at night our side looks away from the sun.
Why do bears sleep in winter?/Do bears sleep in winter?|There is little food in winter, so many bears sleep until spring.
Why do leaves change color?|In autumn the green goes away, and we can see red and yellow.
What is a library?|A library is a place with many books that you can read.
What does a doctor do?/What do doctors do?|A doctor helps sick people to get well.
What does a teacher do?/What do teachers do?|A teacher helps children to learn.
What does a farmer do?/What do farmers do?|A farmer grows food and takes care of animals.
What does a baker do?/What do bakers do?|A baker bakes bread and cakes.
What does a vet do?/What is a vet?|A vet is a doctor for animals.
What is a desert?|A desert is a very dry place with a lot of sand.
What is an island?|An island is land with water all around it.
What is a volcano?|A volcano is a mountain that can throw out hot rock.
What is a caterpillar?/What does a caterpillar turn into?/What becomes of a caterpillar?|A caterpillar turns into a butterfly.
What does a tadpole turn into?/What is a tadpole?|A tadpole is a baby frog. It grows legs and turns into a frog.
What is a language model?/What is a small language model?|It is a computer program that has read many words and can write new ones.
What is a friend?/What is friendship?|A friend is somebody who is kind to you and likes to be with you.
What is a story?|A story tells what happened to somebody, with a beginning and an end.
What is a dragon?/Are dragons real?|Dragons are big animals in stories. They are not real.
What is a unicorn?/Are unicorns real?|A unicorn is a horse with a horn. It lives only in stories.
Are monsters real?/Do monsters exist?|No, monsters are only in stories.
Who was the first man on the moon?/Who walked on the moon first?/Who was first on the moon?|Neil Armstrong was the first man on the moon.
Who painted the Mona Lisa?/Do you know who painted the Mona Lisa?|Leonardo da Vinci painted the Mona Lisa.
Where is the Eiffel Tower?/In which city is the Eiffel Tower?|The Eiffel Tower is in Paris.
Where are the pyramids?/Where can I see the pyramids?|The great pyramids are in Egypt.
What do people speak in France?/What language do they speak in France?|In France people speak French.
What language do they speak in Spain?/What do people speak in Spain?|In Spain people speak Spanish.
What is the first letter of the alphabet?/Which letter comes first?|The first letter is A.
What is the last letter of the alphabet?/Which letter comes last?|The last letter is Z.
How many letters are in the alphabet?/How many letters does the alphabet have?|The English alphabet has 26 letters.
Can you say the alphabet?/Say the ABC./Tell me the alphabet.|A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, P, Q, R, S, T, U, V, W, X, Y, Z.
Can you count to ten?/Count to ten./Please count to ten.|One, two, three, four, five, six, seven, eight, nine, ten.
Can you count to five?/Count to five.|One, two, three, four, five.`

/** @returns {Fact[]} */
function single() {
  return SINGLE.split('\n').map(line => {
    const [questions, answers] = line.split('|')
    return [questions.split('/'), answers.split('/')]
  })
}

/** @returns {Fact[]} */
function calendar() {
  /** @type {Fact[]} */
  const facts = []
  for (const list of ['Monday Tuesday Wednesday Thursday Friday Saturday Sunday'.split(' '), 'January February March April May June July August September October November December'.split(' ')]) {
    const kind = list.length === 7 ? 'day' : 'month'
    list.forEach((name, i) => {
      const after = list[(i + 1) % list.length]
      const before = list[(i + list.length - 1) % list.length]
      facts.push([[`What ${kind} comes after ${name}?`, `Which ${kind} is after ${name}?`, `What comes after ${name}?`], [`After ${name} comes ${after}.`, `${after}.`]])
      facts.push([[`What ${kind} comes before ${name}?`, `Which ${kind} is before ${name}?`, `What comes before ${name}?`], [`Before ${name} comes ${before}.`, `${before}.`]])
    })
  }
  return facts
}

/**
 * Sums, asked in words and in digits. The answer says the whole sum again: that is easier to learn than the bare number.
 * @returns {Fact[]}
 */
function sums() {
  /** @type {Fact[]} */
  const facts = []
  for (const written of [NUMBERS, NUMBERS.map((_, i) => String(i))]) {
    for (let a = 0; a <= 10; a++) {
      for (let b = 0; b <= 10; b++) {
        const [x, y] = [written[a], written[b]]
        facts.push([[`What is ${x} plus ${y}?`, `What is ${x} + ${y}?`, `How much is ${x} and ${y}?`, `${x} + ${y} = ?`, `What's ${x} plus ${y}?`, `How much is ${x} plus ${y}?`], [`${upper(x)} plus ${y} is ${written[a + b]}.`]])
        if (b <= a) facts.push([[`What is ${x} minus ${y}?`, `What is ${x} - ${y}?`, `How much is ${x} minus ${y}?`, `Take ${y} from ${x}.`], [`${upper(x)} minus ${y} is ${written[a - b]}.`]])
        if (a <= 5 && b <= 4) facts.push([[`What is ${x} times ${y}?`, `What is ${x} x ${y}?`, `How much is ${x} times ${y}?`], [`${upper(x)} times ${y} is ${written[a * b]}.`]])
      }
      if (a < 10) facts.push([[`What comes after ${written[a]}?`, `Which number comes after ${written[a]}?`, `What number is after ${written[a]}?`], [`After ${written[a]} comes ${written[a + 1]}.`]])
    }
  }
  return facts
}

/** All facts in kinds; sums are many, so they are drawn less often each. */
export const FACTS = { animals: animals(), capitals: capitals(), colors: colors(), books: books(), single: single(), calendar: calendar(), sums: sums() }
export const COUNTRIES = CAPITALS.split(';').map(each => each.split('|')[0])
export const CITIES = CAPITALS.split(';').map(each => each.split('|')[1]).filter(city => !city.includes('.'))
