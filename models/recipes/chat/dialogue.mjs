// Public dialogue sets in the chat template. `--part talk`: two people talking (self-dialogue, Synthetic-Persona-Chat,
// Topical-Chat, Taskmaster 4). `--part teach`: one question and its answer (Microsoft chit-chat, ChatterBot corpus,
// Dolly, OpenTriviaQA).
//
//     node models/recipes/chat/dialogue.mjs ../shared/data --part talk > build/train/talk.txt
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { clean, commandLine, document, fit, generator, normalize, print, readLines } from './text.mjs'

/** @typedef {import('./text.mjs').Turn} Turn */

const TALK = [
  ['self-dialogue', ['all']],
  ['synthetic-persona-chat', ['valid', 'test']],
  ['topical-chat', ['valid_freq', 'valid_rare', 'test_freq', 'test_rare']],
  ['taskmaster4', ['train']],
]

/**
 * A conversation of two voices: the first voice is the user, turns of one voice in a row become one, and the last
 * word is the assistant's. Nothing where a turn does not fit.
 * @param {{ role: string, text: string }[]} voices
 * @returns {Turn[] | undefined}
 */
function conversation(voices) {
  /** @type {Turn[]} */
  const turns = []
  let before = ''
  for (const { role, text } of voices) {
    const cleaned = clean(text)
    if (!cleaned) continue
    if (!fit(cleaned) || cleaned.length > 400) return undefined
    if (role === before) turns[turns.length - 1].text += ` ${cleaned}`
    else turns.push({ role: turns.length % 2 ? 'assistant' : 'user', text: cleaned })
    before = role
  }
  if (turns.length % 2) turns.pop()
  return turns.length >= 2 && english(turns) ? turns : undefined
}

const COMMON = /\b(the|is|a|i|you|it|to|and|of|that|do|what|yes|no|in|my|like|can|for|are)\b/gi

/**
 * At least a tenth of the words are among the commonest of English.
 * @param {Turn[]} turns
 */
function english(turns) {
  const text = turns.map(turn => turn.text).join(' ')
  return (text.match(COMMON) ?? []).length * 10 >= text.split(' ').length
}

/**
 * @param {string} data
 * @param {Record<string, number>} counts
 */
function talk(data, counts) {
  /** @type {Set<string>} */
  const documents = new Set()
  for (const [source, files] of TALK) {
    const before = documents.size
    let dropped = 0
    for (const file of files) {
      for (const { turns } of readLines(data, `${source}/${file}.jsonl.gz`)) {
        const kept = conversation(turns)
        if (kept) documents.add(document(kept))
        else dropped++
      }
    }
    counts[`${source} (${dropped} dropped)`] = documents.size - before
  }
  return [...documents]
}


// Answers of the chit-chat set that do not fit a small storyteller: a helpline number, courtship, having no name or
// no jokes (the lessons teach otherwise), words for insults.
const UNFIT_ANSWERS = /Lifeline|relationship|impression|all business|Love is|hear love|gender|biological|a name|jokes|can't think of one|that funny|Cattywampus|^Noted|^Very well|^Okay|^Ok\.|pleasure of meeting|all here to help|not me, but|other bots|generally work|change of heart|advise about|your judgment|can't tell one way|no way to tell|couldn't say|flattered|fond of you|here to help\.$|not something I can do|greatest strength|tricky for a bot|aim for efficiency|Oh dear|^Certainly|report to|have a boss|Technology|technology|musically|if I could|one of my strengths|way to know how you look|my looks|definitely smarter|safe to say|standing by/
const UNFIT_PROMPTS = /\b(stupid|dumb|ugly|hate|shut up|kill|die|dying|dead|loser|sucks?|idiot|idiotic|terrible|fart|beer|wine|date|dating|marry|married|wedding|boyfriend|girlfriend|sexy|hot|kiss|lover|hell|moron|useless|worthless|lame|repulsive|annoying|fired|cortana|siri|alexa|google|bixby|microsoft|virgin|queer|gender|cutting|hurt myself|harm|end (it|my)|depress\w*|drink\w*|smoke|pregnant|gun)\b/i
const PHRASINGS = 12

/**
 * Microsoft chit-chat: an answer with a dozen of its phrasings.
 * @param {string} data
 * @param {import('./text.mjs').Generator} random
 * @returns {Turn[][]}
 */
function chitchat(data, random) {
  /** @type {Map<string, Set<string>>} */
  const phrasings = new Map()
  for (const line of readLines(data, 'ms-chitchat/botframework_en.jsonl.gz')) {
    const question = clean(line.question.replaceAll('ΓÇÖ', "'"))
    const answer = clean(line.answer.replaceAll('ΓÇÖ', "'"))
    if (UNFIT_ANSWERS.test(answer) || UNFIT_PROMPTS.test(question) || !fit(question) || !fit(answer)) continue
    phrasings.set(answer, (phrasings.get(answer) ?? new Set()).add(question))
  }
  return [...phrasings].flatMap(([answer, questions]) =>
    random.shuffle([...questions]).slice(0, PHRASINGS).map(question => pair(question, answer)))
}

// Topics marked true are conversations; in the others every turn after the first is another answer.
const CHATTERBOT = { conversations: true, greetings: true, health: true, emotion: false, food: false, humor: false, sports: false, trivia: false }
const UNFIT_CHATTERBOT = /mask|cake is a|python|java\b|hal\b|sinsemill|dyslex|my wife|electric|firewall|program|software|hardware|processor|database|irc\b|internet|robot|complex is better|davis|buddhis|die\b|wine|president|bionic|stole|chess|\btao\b|bot\b|what is your name|feel nothing/i

/**
 * The topics of the ChatterBot corpus that are about neither computers nor politics.
 * @param {string} data
 * @returns {Turn[][]}
 */
function chatterbot(data) {
  /** @type {Turn[][]} */
  const documents = []
  for (const { topic, turns } of readLines(data, 'chatterbot-corpus/english.jsonl.gz')) {
    if (!(topic in CHATTERBOT) || turns.some((/** @type {Turn} */ turn) => UNFIT_CHATTERBOT.test(turn.text))) continue
    const follows = CHATTERBOT[/** @type {keyof typeof CHATTERBOT} */ (topic)]
    const kept = conversation((follows ? turns : turns.slice(0, 2)).map((/** @type {Turn} */ turn) => ({
      role: turn.role, text: /[A-Z]{3}/.test(turn.text) ? turn.text.toLowerCase() : turn.text,
    })))
    if (kept) documents.push(kept)
  }
  return documents
}

const NEEDS_MORE = /\b(House [A-Z]\w+|game of thrones|email|spark|zodiac|passage|paragraph|texts?|given|above|below|following|extract|summari\w+|reference|context|provided|article|identify|classify|categori\w+|table|select|separate|bullet\w*|these|each|haiku|poem|rank|dataset|sort|order|format)\b|:|\?.*\?/i

/**
 * Dolly: simple questions answered in under 60 simple words.
 * @param {string} data
 * @param {ReturnType<typeof storyWords>} stories
 * @returns {Turn[][]}
 */
function dolly(data, stories) {
  /** @type {Turn[][]} */
  const documents = []
  for (const { instruction, response } of readLines(data, 'dolly/dolly_instruction_response.jsonl.gz')) {
    const question = clean(instruction)
    const answer = clean(response)
    if (answer.split(' ').length >= 60 || question.length > 120 || NEEDS_MORE.test(question)) continue
    if (!fit(question) || !fit(answer) || /\d\.(?= |$)|\d\)|[/*#]| - /.test(answer) || !/[.!?"]$/.test(answer)) continue
    if (stories.known(question) < 0.75 || stories.known(answer) < 0.8) continue
    documents.push(pair(question, answer))
  }
  return documents
}

const TRIVIA_KINDS = ['for-kids', 'animals', 'general']
const NEEDS_CHOICES = /\b(which (one )?of|these|following|not|isn't|doesn't|except|least|false|true|wrong|correct\w*|complete|finish|chapter|page|word|spell\w*|died?|killed)\b|___|\.\.\./i

/**
 * OpenTriviaQA: a question that stands without its choices, and a sentence for the answer.
 * @param {string} data
 * @param {ReturnType<typeof storyWords>} stories
 * @param {import('./text.mjs').Generator} random
 * @returns {Turn[][]}
 */
function trivia(data, stories, random) {
  /** @type {Turn[][]} */
  const documents = []
  for (const { category, question, answer, choices } of readLines(data, 'opentriviaqa/all.jsonl.gz')) {
    if (!TRIVIA_KINDS.includes(category)) continue
    const asked = clean(question)
    const told = normalize(answer).replace(/\.$/, '')
    if (asked.length > 110 || !/^(what|who|where|when|how|which)\b[^.!]*\?$/i.test(asked) || NEEDS_CHOICES.test(asked)) continue
    if (choices.length < 3 || choices.some((/** @type {string} */ each) => /^(all|none|both|neither|any) of|^both|^neither/i.test(each))) continue
    if (!fit(asked) || !fit(told) || told.length > 50 || stories.known(asked) < 0.8) continue
    documents.push(pair(asked, sentence(asked, told, stories.count, random)))
  }
  return documents
}

/**
 * The answer in a sentence; its first word stays a capital only where the stories usually write it with one.
 * @param {string} question
 * @param {string} answer
 * @param {(word: string) => number} common
 * @param {import('./text.mjs').Generator} random
 */
function sentence(question, answer, common, random) {
  const first = answer.split(' ')[0]
  const plain = common(first.toLowerCase()) > common(first) && first !== 'I' ? answer[0].toLowerCase() + answer.slice(1) : answer
  if (answer.split(' ').length > 6) return clean(answer)
  if (/^(it|they|he|she|in|on|by|to|from|yes|no|because) /.test(plain)) return clean(answer)
  if (/^(how many|how much|how long|how far|how old)/i.test(question)) return clean(`The answer is ${plain}`)
  if (/^who/i.test(question) && random.chance(0.5)) return clean(`It was ${plain}`)
  return clean(random.pick([`The answer is ${plain}`, `That is ${plain}`, `I think it is ${plain}`, answer]))
}

/**
 * @param {string} question
 * @param {string} answer
 * @returns {Turn[]}
 */
function pair(question, answer) {
  return [{ role: 'user', text: question }, { role: 'assistant', text: answer }]
}

/**
 * What the stories say about words: how often each stands in them, and which part of a text's words they know.
 * @param {string} data
 */
function storyWords(data) {
  /** @type {Map<string, number>} */
  const seen = new Map()
  for (const word of readFileSync(join(data, 'tinystories/tinystories_train.txt'), 'utf8').match(/[A-Za-z']+/g) ?? []) {
    seen.set(word, (seen.get(word) ?? 0) + 1)
  }
  const count = (/** @type {string} */ word) => seen.get(word) ?? 0
  /** @param {string} text */
  function known(text) {
    const words = text.match(/[A-Za-z0-9']+/g) ?? []
    return words.filter(word => count(word) + count(word.toLowerCase()) >= 3).length / Math.max(1, words.length)
  }
  return { count, known }
}

/**
 * @param {string} data
 * @param {Record<string, number>} counts
 * @param {import('./text.mjs').Generator} random
 */
function teach(data, counts, random) {
  const stories = storyWords(data)
  /** @type {Record<string, Turn[][]>} */
  const sources = {
    'ms-chitchat': chitchat(data, random), 'chatterbot-corpus': chatterbot(data),
    dolly: dolly(data, stories), opentriviaqa: trivia(data, stories, random),
  }
  const documents = new Set(Object.values(sources).flat().map(document))
  for (const [source, made] of Object.entries(sources)) counts[source] = made.length
  return [...documents]
}

const { data, options } = commandLine()
const random = generator(Number(options.seed))
/** @type {Record<string, number>} */
const counts = {}
const made = options.part === 'teach' ? teach(data, counts, random) : talk(data, counts)
print(random.shuffle(made), counts)
