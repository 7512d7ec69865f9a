// Stories of the data folder and what each of them is about: subjects from a hand-made list that stand in it often
// enough, the name of its hero, and a clause such as "a girl who lost her red ball".
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { normalize, readDocuments, sentenceCase } from './text.mjs'

/**
 * @typedef {{ phrase: string, plural: string, weight: number, main: boolean, opens: boolean }} Subject a fox, foxes;
 *   main: it comes early, opens: in the first sentence or two
 * @typedef {{ text: string, subjects: Subject[], hero?: { kind: string, name: string }, clauses: string[] }} Story
 * @typedef {import('./text.mjs').Generator} Generator
 */

const BEFORE_SUBJECT = [
  'Here is a story about {}.', 'Here is a story about {}.', 'Sure! Here is a story about {}.', 'Yes! This is a story about {}.', 'Of course. Here is a story about {}.', 'This story is about {}.',
]
const BEFORE_ANY = ['Here is a story for you.', 'Sure! Here is a story.', 'Of course! Here it is.', 'I would love to.', 'Yes, I know one.', 'Okay, listen.']

/**
 * A story as the answer to a request: most often a line that says what it is about stands before it, so that a small
 * model has the subject close by when the story begins.
 * @param {Generator} random
 * @param {string} about what was asked for, or nothing
 * @param {string} text
 */
export function introduced(random, about, text) {
  if (!random.chance(about ? 0.9 : 0.3)) return text
  return `${sentenceCase(random.pick(about ? BEFORE_SUBJECT : BEFORE_ANY).replace('{}', () => about))}\n${text}`
}

// With an article: a fox, an owl.
const COUNTED = `fox dog cat puppy kitten bird duck duckling chick hen rooster chicken goose swan owl eagle parrot crow robin penguin
peacock pigeon mouse rat rabbit bunny hamster squirrel hedgehog mole beaver raccoon bear panda koala wolf lion tiger leopard cheetah zebra
giraffe elephant rhino hippo monkey gorilla ape camel horse pony donkey cow bull calf pig piglet sheep lamb goat deer moose kangaroo frog
toad turtle tortoise snake lizard crocodile alligator dinosaur dragon unicorn monster ghost giant witch wizard fairy mermaid elf troll
pirate knight king queen prince princess fish shark whale dolphin seal octopus crab lobster starfish snail worm spider ant bee bug beetle ladybug
butterfly caterpillar dragonfly bat firefly cricket grasshopper jellyfish clown robot alien doctor nurse teacher farmer baker cook chef
policeman fireman firefighter sailor captain soldier hunter fisherman barber dentist singer dancer painter artist baby twin sister brother
grandma grandpa grandmother grandfather uncle aunt neighbor thief judge mayor boy girl man woman
ball doll truck car train boat ship plane airplane rocket bike bicycle bus tractor jeep kite balloon puzzle block drum guitar piano flute trumpet violin
bell whistle toy teddy puppet swing slide book crayon pencil pen brush painting picture camera phone telephone computer radio lamp candle torch
lantern clock mirror key lock door window chair table bed pillow blanket box basket bag jar bottle cup bowl plate spoon fork pot
pan oven hat cap shoe boot sock coat jacket dress shirt scarf glove sweater ring necklace crown jewel gem diamond treasure coin map flag
rope ladder hammer shovel broom bucket umbrella tent wagon cart sled wheel engine machine tool tower castle palace house cabin cave
bridge tunnel road well tree flower rose seed leaf bush mushroom stone rock stick feather shell egg nest web cake cookie pie apple orange
banana pear peach cherry strawberry lemon grape melon watermelon pumpkin carrot potato tomato onion pepper sandwich pizza
lollipop cupcake muffin pancake donut hill mountain river lake pond island volcano rainbow star cloud storm puddle garden playground
party birthday picnic race game song dance dream wish secret surprise present gift letter magician magnet zipper bone hole fountain
village library hospital store shop restaurant museum circus snowman`.split(/\s+/)
// Animals and fairy-tale people come first in the list; they are asked for more often than things.
const CHARACTERS = new Set(COUNTED.slice(0, COUNTED.indexOf('doctor')))
const THE = 'sea ocean moon sun sky forest woods jungle desert beach park zoo farm city market school kitchen wind night'.split(' ')
const BARE = 'rain snow ice water milk bread butter cheese honey jam candy chocolate soup rice pasta corn juice tea popcorn magic music winter summer spring friendship'.split(' ')
const IRREGULAR = new Map(Object.entries({
  mouse: 'mice', goose: 'geese', fish: 'fish', sheep: 'sheep', deer: 'deer', wolf: 'wolves', calf: 'calves', elf: 'elves', thief: 'thieves', leaf: 'leaves',
  knife: 'knives', man: 'men', woman: 'women', policeman: 'policemen', fireman: 'firemen', fisherman: 'fishermen', snowman: 'snowmen', potato: 'potatoes',
  tomato: 'tomatoes', volcano: 'volcanoes', moose: 'moose', octopus: 'octopuses', teddy: 'teddies',
}))
// Words that are also verbs, people everywhere or in the background: they must stand in the first words of the story.
const EVERYWHERE = new Set('boy girl man woman mom dad baby sister brother fly saw watch fan swing slide lock cook race dance dream wish game party song table bed door tree house park toy ball box bag book car window spring well star bear ring map flower water rose stick present picture'.split(' '))

/** @param {string} word */
function plural(word) {
  if (IRREGULAR.has(word)) return /** @type {string} */ (IRREGULAR.get(word))
  if (/(s|x|ch|sh)$/.test(word)) return `${word}es`
  return /[^aeiou]y$/.test(word) ? `${word.slice(0, -1)}ies` : `${word}s`
}

/** @param {string} phrase */
export function article(phrase) {
  return `${/^([aeio]|umb|unc)/.test(phrase) ? 'an' : 'a'} ${phrase}`
}

/** @type {Map<string, { key: string, phrase: string, plural: string }>} */
const WORDS = new Map()
for (const word of COUNTED) {
  const subject = { key: word, phrase: article(word), plural: plural(word) }
  WORDS.set(word, subject).set(subject.plural, subject)
}
for (const word of THE) WORDS.set(word, { key: word, phrase: `the ${word}`, plural: '' })
for (const word of BARE) WORDS.set(word, { key: word, phrase: word, plural: '' })

const VERBS = 'lost|found|broke|made|bought|built|drew|painted|planted|saw|caught|met|helped|wanted|needed|loved|liked|had|got|wore|hid|dropped|forgot|opened|climbed|saved|cleaned|baked|fixed'
const CLAUSE = new RegExp(`\\b(?:He|She|It|NAME) (?:once )?((?:${VERBS}) (?:a|an|his|her|to \\w+|to \\w+ (?:a|an|the|his|her|in the|with \\w+))(?: [a-z]+){1,3}?)(?=[.!]| in | on | and | but | that | under | near | at | from | for )`, 'g')
const KINDS = 'girl|boy|dog|cat|bird|bear|rabbit|bunny|mouse|fox|frog|fish|duck|pig|cow|horse|monkey|lion|elephant|squirrel|puppy|kitten|turtle|man|woman|child|princess|prince|king|queen|dragon|robot|owl|bee|ant|butterfly|penguin|wolf|tiger|giraffe|whale|dolphin|car|train|truck|boat|farmer|hen|sheep|goat|snail|spider|crab|worm|bug|seal|panda|hippo|zebra|deer|unicorn|fairy|witch'
const HERO = new RegExp(`\\b(?:an?|one|the) ((?:[a-z]+,? ){0,2}?)(${KINDS}) (?:named|called|whose name was) ([A-Z][a-z]+)`)
const ADJECTIVE = / (big|small|little|red|blue|green|new|pretty|nice|old|special|shiny|lying|huge|tiny|lovely|good|bad|whole|long|enormous|beautiful|many|some|all|two|three|other|own|yummy|strange|sitting|lots|bit|something)$/
const WHO = new RegExp(`\\b(an? (?:[a-z]+,? ){0,2}?(?:${KINDS}))(?: (?:named|called) ([A-Z][a-z]+))?,? who ([a-z][^.,!?"]{6,60})[.!]`)

/**
 * The stories of the corpus and of the picture books, in plain punctuation, with what they are about.
 * @param {string} data
 * @param {string} books folder of pratham-books.txt and african-storybook.txt
 * @param {number} longest characters
 * @returns {Story[]}
 */
export function readStories(data, books, longest) {
  const paths = [join(data, 'tinystories/tinystories_train.txt'), join(books, 'pratham-books.txt'), join(books, 'african-storybook.txt')]
  const texts = paths.filter(path => existsSync(path)).flatMap(path => readDocuments(path))
    .map(text => text.split(/\s*\n\s*/).map(normalize).filter(Boolean).join('\n'))
    .filter(text => text.length >= 200 && text.length <= longest && !/[^\x20-\x7e\n]|<|\||http|\[|\bkill|\bdied?\b|\bdead\b|\bgun\b|\bblood/i.test(text))
    .filter(text => /[.!?]"?$/.test(text))
  const found = texts.map(subjectsOf)
  /** @type {Map<string, number>} */
  const frequency = new Map()
  for (const each of found) for (const { key } of each) frequency.set(key, (frequency.get(key) ?? 0) + 1)
  return texts.map((text, i) => ({
    text,
    ...heroOf(text),
    subjects: found[i].map(({ key, phrase, plural, score, main, opens }) => ({ phrase, plural, main, opens, weight: score / (frequency.get(key) ?? 1) ** (CHARACTERS.has(key) ? 0.5 : 0.75) })),
  }))
}

/**
 * Words of the list that stand in the story three times, or twice and early.
 * @param {string} text
 */
function subjectsOf(text) {
  /** @type {Map<string, { key: string, phrase: string, plural: string, count: number, first: number, many: number, start: string }>} */
  const seen = new Map()
  for (const { 0: word, index } of text.matchAll(/\b[a-z]+\b/gi)) {
    const subject = WORDS.get(word.toLowerCase())
    if (!subject) continue
    const entry = seen.get(subject.key) ?? { ...subject, count: 0, first: index, many: 0, start: word }
    entry.count++
    if (word.toLowerCase() === subject.plural && subject.plural !== subject.key) entry.many++
    seen.set(subject.key, entry)
  }
  return [...seen.values()]
    .filter(({ key, count, first }) => (EVERYWHERE.has(key) ? count >= 3 && first < 160 : count >= 3 || (count === 2 && first < 250)))
    .map(({ key, phrase, plural, count, first, many }) => ({
      key,
      phrase: many * 2 > count && plural ? plural : phrase,
      plural: many ? plural : '',
      main: first < 300,
      opens: first < 120,
      score: Math.min(count, 8) * (first < 120 ? 3 : first < 300 ? 1.5 : 1),
    }))
}

/**
 * The hero's kind and name, and clauses that tell the story in a few words.
 * @param {string} text
 */
function heroOf(text) {
  const opening = text.slice(0, 260)
  const hero = opening.match(HERO)
  const kind = hero ? hero[2] : opening.match(/\b(?:little|young|small|big) (girl|boy|dog|cat|bird|bear|rabbit|mouse|fox|frog|fish)\b/)?.[1]
  /** @type {string[]} */
  const clauses = []
  const who = opening.match(WHO)
  if (who && !/\b(his|her|their) name\b/.test(who[3]) && who[3].split(' ').length <= 9) {
    clauses.push(`${who[1]} who ${who[3]}`)
    if (who[2]) clauses.push(`${who[1]} named ${who[2]} who ${who[3]}`)
  }
  if (kind) {
    const pattern = new RegExp(CLAUSE.source.replace('NAME', hero ? hero[3] : 'He'), 'g')
    for (const match of text.slice(0, 500).matchAll(pattern)) {
      if (clauses.length < 4 && !ADJECTIVE.test(match[1]) && !/ (and|so|very|the|a|it|them|him|that|his|her|to|with|not|lot|few)$/.test(match[1])) clauses.push(`${article(kind)} who ${match[1]}`)
    }
  }
  return { hero: hero ? { kind: hero[2], name: hero[3] } : undefined, clauses }
}

// Who may take another's place in a story: most of them walk, talk and want something in one story or the other.
const PLAYERS = `fox dog cat puppy kitten bird duck duckling hen rooster goose swan owl eagle parrot penguin mouse rat rabbit bunny hamster squirrel
hedgehog mole beaver raccoon bear panda koala wolf lion tiger leopard zebra giraffe elephant rhino hippo monkey gorilla camel horse pony donkey cow
pig piglet sheep lamb goat deer moose kangaroo frog toad turtle tortoise snake lizard crocodile dinosaur dragon unicorn monster ghost giant witch
wizard fairy mermaid elf troll pirate knight king queen prince princess snail spider ant bee bug beetle ladybug butterfly caterpillar
bat cricket clown robot alien doctor teacher farmer baker cook policeman fireman sailor captain snowman magician`.split(/\s+/)
const NAMES = {
  girl: 'Lily Lucy Mia Anna Emma Sara Sally Jane Amy Molly Ella Zoe Kate Rose Ruby Daisy Nora Ivy Clara Julia Eva Maya Lola Alice Nina Emily Grace Bella Rosa Marie'.split(' '),
  boy: 'Tim Tom Ben Max Jack Sam Leo Bob Joe Dan Peter Paul Nick Adam Finn Oscar Henry Luke Mark David Noah Charlie Billy Jim Theo Felix Otto Hugo Simon Alex'.split(' '),
}

/**
 * The story with another animal, person or name in the place of the one it is about, and what it is about then; nothing
 * where that cannot be done. Told so, one story goes with many requests, and only the request says which it is.
 * @param {Generator} random
 * @param {Story} story
 */
export function recast(random, story) {
  const { hero, text } = story
  if (hero && (hero.kind === 'girl' || hero.kind === 'boy') && random.chance(0.4)) {
    const name = random.pick(NAMES[hero.kind].filter(each => !text.includes(each)))
    return { about: random.chance(0.3) ? name : `a ${hero.kind} named ${name}`, text: text.replace(new RegExp(`\\b${hero.name}\\b`, 'g'), name) }
  }
  const players = PLAYERS.filter(each => story.subjects.some(({ phrase, opens }) => opens && phrase === article(each)))
  if (!players.length) return undefined
  const old = random.pick(players)
  const other = random.pick(PLAYERS.filter(each => !new RegExp(`\\b${each}`, 'i').test(text)))
  const words = new RegExp(`\\b(an? )?((?:[a-z]+,? ){0,2}?)(${old}|${plural(old)})\\b`, 'gi')
  return {
    about: article(other),
    text: text.replace(words, (_, an, between, word) => {
      const many = word.toLowerCase() === plural(old) && plural(old) !== old
      const now = many ? plural(other) : other
      const cased = /^[A-Z]/.test(word) ? now[0].toUpperCase() + now.slice(1) : now
      if (!an || between) return `${an ?? ''}${between}${cased}`
      const form = article(other).startsWith('an') ? 'an ' : 'a '
      return `${/^A/.test(an) ? form[0].toUpperCase() + form.slice(1) : form}${cased}`
    }),
  }
}
