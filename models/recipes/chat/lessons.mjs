// Our own lessons for a small chat model: small talk (phrases.mjs), simple facts (facts.mjs), saying that it does not
// know, and conversations around stories of the corpus: going on with a story, making it shorter, thanks, goodbye.
//
//     node models/recipes/chat/lessons.mjs ../shared/data --books build/train > build/train/lessons.txt
import { CITIES, COUNTRIES, FACTS } from './facts.mjs'
import {
  CHANGE, INTENTS, JOKE_ASKS, JOKES, NEXT, SHORTER, SLOTS, STORY_THANKS, STORY_WELCOME, UNKNOWN_ASKS, UNKNOWN_REASONS, UNKNOWN_SAYS, WHICH_STORY,
} from './phrases.mjs'
import { introduced, readStories } from './stories.mjs'
import { commandLine, document, generator, print, sentenceCase, typed, withSystem } from './text.mjs'

/** @typedef {import('./text.mjs').Turn} Turn */
/** @typedef {import('./stories.mjs').Story} Story */

const { data, options } = commandLine()
const random = generator(Number(options.seed))
// Short enough that a conversation around a story fits a context of 512 tokens.
const stories = readStories(data, options.books ?? 'build/train', 1000).filter(story => story.subjects.some(each => each.opens))

/**
 * The slots of a question and its answer, each filled once.
 * @param {string[]} texts
 */
function fill(...texts) {
  /** @type {Map<string, string>} */
  const chosen = new Map()
  /** @param {string} slot */
  function choose(slot) {
    if (slot === 'big' || slot === 'big2') return String(random.below(90000) + 137)
    if (slot === 'small') return String(random.below(80) + 7)
    if (slot.startsWith('city')) return random.pick(CITIES)
    if (slot === 'country') return random.pick(COUNTRIES)
    if (slot === 'day') return random.pick(['Monday', 'Tuesday', 'Friday', 'Saturday', 'Sunday', 'the weekend'])
    return random.pick(SLOTS[slot])
  }
  return texts.map(text => (!text.includes('{') ? text : sentenceCase(text.replace(/\{(\w+)\}/g, (_, slot) => {
    const value = chosen.get(slot) ?? choose(slot)
    chosen.set(slot, value)
    return value
  }).replace(/\ba (?=(apple|owl|elephant|umbrella)\b)/g, 'an '))))
}

/**
 * A question as typed and its answer.
 * @param {string} ask
 * @param {string} say
 * @returns {Turn[]}
 */
function pair(ask, say) {
  const [question, answer] = fill(ask, say)
  return [{ role: 'user', text: typed(random, question) }, { role: 'assistant', text: answer }]
}

/** @param {string} name */
function intent(name) {
  const { ask, say } = INTENTS[name]
  const question = random.pick(ask)
  // An answer that names a slot goes only with a question that has it.
  const slots = (/** @type {string} */ text) => text.match(/\{\w+\}/g) ?? []
  const other = question.includes('?') ? 'S:' : 'Q:'
  const fitting = say.filter(each => !each.startsWith(other) && slots(each).every(slot => question.includes(slot)))
  return pair(question, random.pick(fitting).replace(/^[QS]:/, ''))
}

function fact() {
  const kind = /** @type {keyof typeof FACTS} */ (random.pick(['animals', 'animals', 'capitals', 'colors', 'books', 'single', 'single', 'single', 'calendar', 'sums']))
  return factOf(random.pick(FACTS[kind]))
}

/** @param {import('./facts.mjs').Fact} fact */
function factOf([asks, says]) {
  return pair(random.pick(asks), random.pick(says))
}

function joke() {
  const [question, answer] = random.pick(JOKES)
  return pair(random.pick(JOKE_ASKS), `${random.pick(['', '', 'Here is one: ', 'Okay! ', 'Sure! '])}${question} ${answer}`)
}

// What it cannot do at all comes last.
const CANNOT = UNKNOWN_REASONS[UNKNOWN_REASONS.length - 1]

function unknown() {
  const ask = random.pick(UNKNOWN_ASKS)
  const [asked] = fill(ask)
  const reason = UNKNOWN_REASONS.find(([pattern]) => pattern.test(asked))
  return pair(asked, random.pick(reason && (reason === CANNOT || random.chance(0.7)) ? reason[1] : UNKNOWN_SAYS))
}

function nothingBefore() {
  return pair(random.pick(random.pick([NEXT, SHORTER, CHANGE])), random.pick(WHICH_STORY))
}

/** The name that was given is remembered. */
function remembered() {
  const name = random.pick(SLOTS.name)
  const between = random.chance(0.5) ? intent(random.pick(['howAreYou', 'hobby', 'favoriteAnimal', 'happy', 'canDo'])) : []
  const greeting = INTENTS.greetingName
  return [
    ...pair(random.pick(greeting.ask).replaceAll('{name}', name), random.pick(greeting.say).replaceAll('{name}', name)), ...between,
    ...pair(random.pick(['What is my name?', 'Do you know my name?', 'Do you remember my name?', 'Who am I?', "What's my name?"]), random.pick([`Your name is ${name}.`, `You are ${name}!`, `You told me that your name is ${name}.`])),
  ]
}

/** @param {string} text */
const sentences = text => text.match(/[^.!?]+(?:[.!?]+["']?|$)\s*/g)?.map(each => each.trim()) ?? [text]

/**
 * A story in two parts, cut between sentences outside of quoted speech, near the middle.
 * @param {string} text
 */
function halves(text) {
  let best = 0
  for (const match of text.matchAll(/[.!?]"?(?=\s)/g)) {
    const at = match.index + match[0].length
    if ((text.slice(0, at).split('"').length - 1) % 2) continue
    if (Math.abs(at - text.length * 0.5) < Math.abs(best - text.length * 0.5)) best = at
  }
  return [text.slice(0, best).trim(), text.slice(best).trim()]
}

/**
 * The first sentences and the last one.
 * @param {string} text
 */
function shorter(text) {
  const all = sentences(text.replaceAll('\n', ' '))
  const first = all[0].length < 60 ? `${all[0]} ${all[1] ?? ''}` : all[0]
  return `${first} ${all.length > 3 ? random.pick(['', 'In the end: ']) : ''}${all[all.length - 1]}`.replace(/\s+/g, ' ').trim()
}

/** A story, asked for in a chat, with what may come before and after it. */
function storyChat() {
  let story = random.pick(stories)
  while (story.text.includes('"') && sentences(shorter(story.text)).some(each => (each.split('"').length - 1) % 2)) story = random.pick(stories)
  const subject = random.pick(story.subjects.filter(each => each.opens)).phrase
  /** @type {Turn[]} */
  const turns = []
  if (random.chance(0.4)) turns.push(...intent(random.pick(['greeting', 'howAreYou', 'greetingName'])))
  if (random.chance(0.35)) turns.push(...intent(random.pick(['sad', 'happy', 'bored', 'fine', 'tired', 'birthday', 'scared'])))
  const ask = random.pick([`Tell me a story about ${subject}.`, `Can you tell me a story about ${subject}?`, `Please tell me a story about ${subject}.`, `I want a story about ${subject}.`, `Tell me a short story about ${subject}.`, `Do you know a story about ${subject}?`, `A story about ${subject}, please.`, 'Tell me a story.', 'Yes, tell me a story, please.', 'A story, please.', `Yes, please! A story about ${subject}.`])
  const about = ask.includes(subject) ? subject : ''
  const dice = random.next()
  if (dice < 0.5) {
    const [first, second] = halves(story.text)
    turns.push(...pair(ask, introduced(random, about, first)), ...pair(random.pick(NEXT), second))
  } else {
    turns.push(...pair(ask, introduced(random, about, story.text)))
    if (dice < 0.75) turns.push(...pair(random.pick(SHORTER), shorter(story.text)))
    else if (dice < 0.85) turns.push(...pair(random.pick(['What was the story about?', 'Who was in the story?', 'What is the story about?', 'What was it about?']), random.pick([`It was about ${subject}.`, `The story was about ${subject}.`, `It is a story about ${subject}.`])))
    else if (dice < 0.92) turns.push(...pair(random.pick(NEXT), random.pick(['That was the end of the story. Do you want another one?', 'The story is over. Shall I tell you a new one?', 'That is all! I can tell you another story.'])))
  }
  if (random.chance(0.5)) turns.push(...pair(random.pick(STORY_THANKS), random.pick(STORY_WELCOME)))
  if (random.chance(0.35)) turns.push(...intent('bye'))
  return turns
}

const OPEN = ['greeting', 'howAreYou', 'greetingName']
const MIDDLE = Object.keys(INTENTS).filter(name => !['greeting', 'greetingName', 'fine', 'bye', 'thanks', 'unclear', 'sorry', 'rude'].includes(name))

/** A few turns of small talk, questions, thanks and a goodbye. */
function smallTalk() {
  /** @type {Turn[]} */
  const turns = []
  if (random.chance(0.7)) {
    const opening = intent(random.pick(OPEN))
    turns.push(...opening)
    if (/how are you/i.test(opening[1].text) && random.chance(0.6)) turns.push(...intent(random.chance(0.6) ? 'fine' : random.pick(['sad', 'happy', 'bored', 'tired'])))
  }
  const count = 1 + random.below(3)
  const names = random.shuffle(MIDDLE).slice(0, count)
  for (const name of names) turns.push(...random.pick([() => intent(name), () => intent(name), () => intent(name), fact, joke, unknown])())
  if (random.chance(0.4)) turns.push(...intent('thanks'))
  if (random.chance(0.4)) turns.push(...intent('bye'))
  return turns
}

/** @type {Set<string>} */
const documents = new Set()
/** @type {Record<string, number>} */
const counts = {}

/**
 * So many more distinct documents of one kind, or as many as there are.
 * @param {string} kind
 * @param {number} count
 * @param {() => Turn[]} make
 */
function add(kind, count, make) {
  const before = documents.size
  for (let tries = 0; documents.size - before < count && tries < count * 5; tries++) documents.add(document(withSystem(random, make())))
  counts[kind] = documents.size - before
}

add('one exchange of small talk', 3600, (() => {
  const names = Object.keys(INTENTS)
  let next = 0
  return () => intent(names[next++ % names.length])
})())
for (const kind of /** @type {(keyof typeof FACTS)[]} */ (Object.keys(FACTS))) {
  let next = 0
  const times = { animals: 7, capitals: 14, colors: 12, books: 12, single: 12, calendar: 5, sums: 20 }[kind]
  add(`facts: ${kind}`, FACTS[kind].length * times, () => factOf(FACTS[kind][next++ % FACTS[kind].length]))
}
add('jokes', 400, joke)
add('what it cannot know', 1100, unknown)
add('a story that is not there', 400, nothingBefore)
add('a name remembered', 300, remembered)
add('small talk of several turns', 2200, smallTalk)
add('chats around a story', 2400, storyChat)
print(random.shuffle([...documents]), counts)
