// Requests for a story and the story that answers them: the subject asked for truly is in the story, most often in its
// first sentence, and subjects that few stories have are asked for more often.
//
//     node models/recipes/chat/story-requests.mjs ../shared/data --books build/train > build/train/story-requests.txt
import { commandLine, document, generator, print, typed, withSystem } from './text.mjs'
import { introduced, readStories, recast } from './stories.mjs'

/** @typedef {import('./stories.mjs').Story} Story */
/** @typedef {import('./text.mjs').Generator} Generator */

// {} is the subject: a fox, foxes, the sea, Lily, a girl named Lily, a girl who lost her red ball.
const ABOUT = [
  'Tell me a story about {}.', 'Tell me a story about {}.', 'Tell me a story about {}.', 'Please tell me a story about {}.',
  'Can you tell me a story about {}?', 'Could you tell me a story about {}, please?', 'Can you tell a story about {}?',
  'I want a story about {}.', 'I would like a story about {}.', "I'd love to hear a story about {}.", 'I want to hear about {}.',
  'Tell me a tale about {}.', 'Tell us a story about {}.', 'Do you know a story about {}?', 'Do you have a story about {}?',
  'Write a story about {}.', 'Write me a story about {}.', 'Please write a story about {}.', 'Make up a story about {}.',
  'Can you make up a story about {}?', 'Can you write a story about {}?', 'A story about {}, please.', 'Story about {}.',
  'Read me a story about {}.', 'How about a story about {}?', 'Let me hear a story about {}.', 'May I have a story about {}?',
  'Give me a story about {}.', 'Tell me something about {} in a story.', 'My son wants a story about {}.',
  'My daughter loves stories about {}. Tell one, please.', 'Hi! Tell me a story about {}.', 'Hello, can you tell me a story about {}?',
  'Now tell me a story about {}.', 'Will you tell me a story about {}?', 'Would you tell me a story about {}?',
  'Could we have a story about {}?', 'Please, a story about {}!', 'I am bored. Tell me a story about {}.',
  'Tell my daughter a story about {}.', 'Tell my little brother a story about {}.', 'Tell the children a story about {}.',
]
const WITH = [
  'Tell me a story with {} in it.', 'Can you tell me a story with {} in it?', 'I want a story with {} in it.', 'Tell me a story that has {} in it.',
  'Write a story with {}.', 'Please tell me a story with {}.', 'A story with {}, please.', 'Do you know a story with {} in it?',
]
const SHORT = [
  'Tell me a short story about {}.', 'Please tell me a short story about {}.', 'Can you tell me a short story about {}?',
  'A short story about {}, please.', 'Write a short story about {}.', 'I want a short story about {}.', 'Tell a little story about {}.',
  'Tell me a very short story about {}.', 'Tell me a quick story about {}.', 'Could you tell me a little story about {}?',
]
const BEDTIME = [
  'Tell me a bedtime story about {}.', 'Can you tell me a bedtime story about {}?', 'Can you tell us a bedtime story with {}?',
  'I am going to bed. Tell me a story about {}.', 'Please tell me a bedtime story with {}.', 'A bedtime story about {}, please.',
  'It is bedtime. Can I have a story about {}?', 'I need a bedtime story about {}.', 'My child is in bed. Tell a story about {}.', 'Bedtime story about {}, please!',
]
const HAPPY = [
  'Tell me a happy story about {}.', 'Can you tell me a happy story about {}?', 'I want a story about {} with a happy end.', 'A nice story about {}, please.',
  'Tell me a nice story about {}.', 'Tell me a sweet story about {}.', 'Can you tell a happy story with {} in it?', 'I am sad. Tell me a happy story about {}.',
]
const ANY = [
  'Tell me a story.', 'Tell me a story, please.', 'Can you tell me a story?', 'Please tell me a story.', 'I want a story.', 'Story, please!', 'Do you know any stories?',
  'Tell me a short story.', 'Tell me a bedtime story.', 'I want to hear a story.', 'Tell me another story.', 'Read me a story.', 'Write a story.', 'Tell me any story.',
  'Could you tell me a story?', 'Tell me your favorite story.', 'Make up a story for me.', 'Once upon a time', 'Tell me something fun.', 'I would like a story.', 'One more story, please.',
  'What story do you know?', 'Let us have a story.', 'A story, please.', 'Tell a story for my daughter.', 'Tell a story to my son.', 'Tell me a happy story.', 'Surprise me with a story.',
]
/**
 * What to ask for, and what the story is then said to be about.
 * @param {Generator} random
 * @param {Story} story
 * @param {Set<string>} used subjects this story has been asked for already
 */
function subject(random, story, used) {
  const { hero, clauses } = story
  const dice = random.next()
  if (clauses.length && dice < 0.16) return random.pick(clauses.filter(each => / (lost|found|forgot|broke) /.test(each)).concat(clauses))
  if (hero && dice < 0.2) return random.chance(0.5) ? hero.name : `a ${hero.kind} named ${hero.name}`.replace(/^a (?=[aeio])/, 'an ')
  const free = story.subjects.filter(({ phrase }) => !used.has(phrase))
  const opening = free.filter(({ opens }) => opens)
  const first = draw(random, opening.length && random.chance(0.92) ? opening : free)
  if (!first) return clauses.find(each => !used.has(each)) ?? ''
  const others = free.filter(({ phrase, opens }) => opens && phrase !== first.phrase)
  if (first.opens && others.length && random.chance(0.1)) return `${first.phrase} and ${draw(random, others)?.phrase}`
  return first.plural && random.chance(0.4) ? first.plural : first.phrase
}

/**
 * @param {Generator} random
 * @param {import('./stories.mjs').Subject[]} subjects
 */
function draw(random, subjects) {
  let left = random.next() * subjects.reduce((sum, { weight }) => sum + weight, 0)
  return subjects.find(({ weight }) => (left -= weight) <= 0) ?? subjects[0]
}

/**
 * The words that ask for it. What comes late in a story is asked for as something in it.
 * @param {Generator} random
 * @param {Story} story
 * @param {string} about
 */
function request(random, story, about) {
  const text = story.text
  const clause = / who |^[A-Z]| named /.test(about)
  const late = story.subjects.some(each => !each.main && (each.phrase === about || each.plural === about))
  const lists = [ABOUT, ABOUT, ABOUT, WITH]
  if (text.length < 800) lists.push(SHORT)
  if (/\b(sleep|asleep|bed|night|dream|goodnight|moon)\b/i.test(text.slice(-400))) lists.push(BEDTIME, BEDTIME)
  if (/\b(happy|happily|smiled|laughed)\b/.test(text.slice(-250))) lists.push(HAPPY)
  const fitting = lists.map(list => list.filter(each => {
    const within = /(with|has) \{\}/.test(each)
    return !(clause && within) && !(late && !within)
  })).filter(list => list.length)
  return typed(random, random.pick(random.pick(fitting)).replace('{}', () => about))
}

const { data, options } = commandLine()
const random = generator(Number(options.seed))
const stories = readStories(data, options.books ?? 'build/train', 1800)
/** @type {Record<string, number>} */
const counts = { stories: stories.length, 'asked for a subject': 0, 'asked for any story': 0, 'with another in its place': 0 }
/** @type {Map<string, number>} */
const asked = new Map()
/** @type {string[]} */
const documents = []

/**
 * @param {string} question
 * @param {string} about
 * @param {string} text
 */
function add(question, about, text) {
  documents.push(document(withSystem(random, [{ role: 'user', text: question }, { role: 'assistant', text: introduced(random, about, text) }])))
}

for (const story of stories) {
  /** @type {Set<string>} */
  const used = new Set()
  const opens = story.subjects.some(each => each.opens)
  if (!opens && !story.clauses.length && random.chance(0.6)) continue
  const rare = Math.max(0, ...story.subjects.map(({ weight }) => weight))
  const times = story.text.length > 1200 ? 1 : rare > 0.8 ? 3 : 2
  for (let time = 0; time < times; time++) {
    const about = random.chance(0.05) ? '' : subject(random, story, used)
    if (!about && time) continue
    used.add(about)
    for (const part of about.split(' and ')) asked.set(part, (asked.get(part) ?? 0) + 1)
    counts[about ? 'asked for a subject' : 'asked for any story']++
    add(about ? request(random, story, about) : typed(random, random.pick(ANY)), about, story.text)
  }
  for (let time = 0; time < 2 && story.text.length < 1000; time++) {
    const other = recast(random, story)
    if (!other) break
    counts['with another in its place']++
    add(request(random, { ...story, text: other.text }, other.about), other.about, other.text)
  }
}
counts['distinct subjects'] = asked.size
if (options.subjects) for (const [about, count] of [...asked].sort((a, b) => b[1] - a[1])) process.stderr.write(`${count} ${about}\n`)
print(random.shuffle(documents), counts)
