// What the makers of chat data share: a seeded generator, the readers of the data folder, the cleaning of written
// English, and the form of a document: turns in the chat template, documents divided by <|endoftext|> lines.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'

/** @typedef {{ role: 'system' | 'user' | 'assistant', text: string }} Turn */
/** @typedef {ReturnType<typeof generator>} Generator */

/**
 * The command line `program DATA [--name value]...`.
 * @returns {{ data: string, options: Record<string, string> }}
 */
export function commandLine() {
  const [data, ...rest] = process.argv.slice(2)
  /** @type {Record<string, string>} */
  const options = { seed: '1' }
  for (let i = 0; i + 1 < rest.length; i += 2) options[rest[i].replace(/^--/, '')] = rest[i + 1]
  if (!data || data.startsWith('-') || rest.length % 2) {
    process.stderr.write(`usage: node ${process.argv[1]} DATA [--seed 1] [--part talk|teach] [--books FOLDER]\n`)
    process.exit(2)
  }
  return { data, options }
}

/**
 * Random numbers that depend on the seed alone (mulberry32), and the draws made from them.
 * @param {number} seed
 */
export function generator(seed) {
  let state = seed >>> 0
  /** A number in [0, 1). */
  function next() {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  return {
    next,
    /** @param {number} n */
    below: n => Math.floor(next() * n),
    /** @param {number} p */
    chance: p => next() < p,
    /** @template T @param {readonly T[]} list @returns {T} */
    pick: list => list[Math.floor(next() * list.length)],
    /** @template T @param {readonly T[]} list @returns {T[]} */
    shuffle(list) {
      const out = [...list]
      for (let i = out.length - 1; i > 0; i--) {
        const j = Math.floor(next() * (i + 1))
        ;[out[i], out[j]] = [out[j], out[i]]
      }
      return out
    },
  }
}

/**
 * The objects of a .jsonl.gz file of the data folder.
 * @param {string} data
 * @param {string} path
 * @returns {any[]}
 */
export function readLines(data, path) {
  const text = gunzipSync(readFileSync(join(data, path))).toString('utf8')
  return text.trim().split('\n').map(line => JSON.parse(line))
}

/**
 * The documents of a file divided by <|endoftext|> lines.
 * @param {string} path
 */
export function readDocuments(path) {
  return readFileSync(path, 'utf8').split(/^<\|endoftext\|>\r?$/m).map(text => text.trim()).filter(Boolean)
}

// Contractions written without their apostrophe that cannot be read as another word.
const CONTRACTIONS = new Map(Object.entries({
  dont: "don't", doesnt: "doesn't", didnt: "didn't", isnt: "isn't", wasnt: "wasn't", arent: "aren't",
  werent: "weren't", cant: "can't", couldnt: "couldn't", wouldnt: "wouldn't", shouldnt: "shouldn't",
  havent: "haven't", hasnt: "hasn't", hadnt: "hadn't", im: "I'm", ive: "I've", youre: "you're", youve: "you've",
  theyre: "they're", theyve: "they've", thats: "that's", whats: "what's", hes: "he's", shes: "she's", theres: "there's",
}))
const CONTRACTION = new RegExp(`\\b(${[...CONTRACTIONS.keys()].join('|')})\\b`, 'gi')

/**
 * Plain ASCII punctuation: straight quotes, three dots, no accents or emoticons, one space where several stood.
 * @param {string} text
 */
export function normalize(text) {
  return text
    .replace(/[\u2018\u2019\u02bc\u00b4`]/g, "'").replace(/[\u201c\u201d\u201e\u00ab\u00bb]/g, '"')
    .replace(/\u2026/g, '...').replace(/\s*[\u2013\u2014]\s*/g, ' - ').replace(/[\u00a0\u2009\u202f]/g, ' ')
    .normalize('NFD').replace(/[\u0300-\u036f\u200b-\u200f\ufe0f\ufeff]/g, '')
    .replace(/\p{Extended_Pictographic}/gu, m => (/[#*\d\u00a9\u00ae]/.test(m) ? m : ''))
    .replace(/\s+/g, ' ').trim()
}

/**
 * A turn as a careful writer would have typed it: spacing around punctuation, apostrophes, capitals, a mark at the
 * end. Capitals inside a sentence are left alone except the word I.
 * @param {string} text
 */
export function clean(text) {
  let out = normalize(text)
    .replace(/\s*[:;]-?[)(DP](?=\s|$)/g, '')
    .replace(/ +([,.!?;:])(?=[\s,.!?"']|$)/g, '$1').replace(/ (n't|'(?:s|m|re|ve|ll|d))\b/g, '$1')
    .replace(/([!?])[.,]+/g, '$1').replace(/\.{4,}/g, '...').replace(/([^.])\.\.(?!\.)/g, '$1...')
    .replace(/([!?])\1+/g, '$1').replace(/,(?=[A-Za-z])/g, ', ').replace(/,{2,}/g, ',')
    .replace(/([a-z])([.!?])([A-Z][a-z]|I\b)/g, '$1$2 $3')
    .replace(CONTRACTION, word => {
      const full = /** @type {string} */ (CONTRACTIONS.get(word.toLowerCase()))
      return /^[A-Z]/.test(word) ? full[0].toUpperCase() + full.slice(1) : full
    })
    .replace(/\bi(?='(m|ve|ll|d)\b|\b(?![.'-]))/g, 'I')
    .replace(/([a-z]{2}) (s|ve|re|ll)(?= [a-z])/g, "$1'$2").replace(/\balot\b/g, 'a lot').replace(/\s+/g, ' ').trim()
  const letters = out.replace(/[^A-Za-z]/g, '')
  if (letters.length > 12 && letters === letters.toUpperCase()) out = out.toLowerCase().replace(/\bi\b/g, 'I')
  out = sentenceCase(out)
  if (/[A-Za-z0-9]$/.test(out)) out += QUESTION.test(out) ? '?' : '.'
  if (/,$/.test(out)) out = `${out.slice(0, -1)}.`
  return out
}

const QUESTION = /^(what|who|where|when|why|how|which|do|does|did|are|is|can|could|would|will|have|has) (a|an|the|you|your|it|he|she|they|we|that|this|about|is|are|was|were|do|does|did|kind|many|much|long|old|I)\b[^.!?]*$/i

/**
 * Capitals at the beginning of the text and of its sentences.
 * @param {string} text
 */
export function sentenceCase(text) {
  return text
    .replace(/^(["'(]?)([a-z])/, (_, mark, letter) => mark + letter.toUpperCase())
    .replace(/([a-z0-9]{2}[.!?] )([a-z])/g, (all, end, letter, at, whole) =>
      /\b(mr|mrs|ms|dr|st|vs|etc|jr|sr)\. $/i.test(whole.slice(Math.max(0, at - 4), at) + end) ? all : end + letter.toUpperCase())
}

/**
 * Whether a text can be shown to a child and read by the tokenizer: English letters, no links, no placeholders,
 * nothing coarse, cruel or political.
 * @param {string} text
 */
export function fit(text) {
  return !/[^\x20-\x7e]/.test(text) && !/https?:|www\.|\.(com|org|net)\b|@|<|>|\||\\|_|\{|\}/.test(text)
    && !/\[[^\]]*\]|\b(user|person|speaker) ?[12]\b/i.test(text) && !COARSE.test(text)
}

const COARSE = new RegExp(`\\b(${[
  'f+u+c+k\\w*', 'motherf\\w*', 'shit\\w*', 'bullshit', 'bitch\\w*', 'bastard\\w*', 'ass(es|hole\\w*)?', 'dumbass', 'badass', 'damn\\w*',
  'goddamn', 'crap', 'crappy', 'dick', 'dicks', 'cock', 'penis', 'vagina', 'boobs?', 'tits?', 'pussy', 'sex\\w*', 'porn\\w*', 'bras?', 'nude\\w*',
  'naked', 'rape\\w*', 'rapist', 'molest\\w*', 'pedo\\w*', 'incest', 'orgasm', 'masturbat\\w*', 'horny', 'hooker\\w*', 'prostitut\\w*',
  'slut\\w*', 'whore\\w*', 'strip(per|pers| club)', 'gay', 'lesbian', 'homo', 'faggot\\w*', 'nigg\\w*', 'retard\\w*', 'nazis?', 'hitler',
  'slaves?', 'slavery', 'racis[mt]\\w*', 'white supremac\\w*', 'terroris\\w*', 'suicid\\w*', 'self.harm', 'kill (your|my|him|her)self', 'overdose\\w*',
  'cocaine', 'heroin', 'meth', 'weed', 'marijuana', 'drugs?', 'stoned', 'drunk', 'vodka', 'whiskey', 'serial killers?', 'murder\\w*',
  'gore', 'gory', 'behead\\w*', 'tortur\\w*', 'abus\\w*', 'bomb(s|ing|ings)?', 'massacre\\w*', 'executed', 'wtf', 'stfu', 'lmao', 'milf',
  'mturk', 'turkers?', 'mechanical turk', 'hits? worker',
  'trump\\w*', 'hillary', 'clintons?', 'obama', 'republicans?', 'democrats?', 'election\\w*', 'gun control', 'abortion\\w*', 'impeach\\w*',
].join('|')})\\b`, 'i')

/** What the system turn may say; about half of the documents begin with one of them. */
export const SYSTEMS = [
  'You are Itera, a friendly little storyteller.',
  'You are Itera, a small and friendly helper.',
  'You are Itera. You tell short stories and talk kindly.',
  'You are a friendly storyteller for children.',
  'You are Itera, a small language model that runs in a browser.',
  'You are a kind and cheerful assistant.',
  'You are a helpful assistant.',
  'Talk to the user in short and simple words.',
  'You are Itera. Be kind, be short, and say so when you do not know.',
  'You are Itera, a little model that loves stories. Answer in simple English.',
  'You are a gentle storyteller. When you do not know something, say that you do not know.',
]

/**
 * A system turn before half of the conversations.
 * @param {Generator} random
 * @param {Turn[]} turns
 * @returns {Turn[]}
 */
export function withSystem(random, turns) {
  return random.chance(0.5) ? [{ role: 'system', text: random.pick(SYSTEMS) }, ...turns] : turns
}

/**
 * What people do to a sentence when they type it: mostly nothing, sometimes no capital, no mark at the end, an
 * exclamation, a please.
 * @param {Generator} random
 * @param {string} text
 */
export function typed(random, text) {
  let out = text
  const dice = random.next()
  if (dice < 0.1) out = out.toLowerCase()
  else if (dice < 0.18) out = out.toLowerCase().replace(/[.?!]+$/, '')
  else if (dice < 0.26) out = out.replace(/[.?!]+$/, '')
  else if (dice < 0.3) out = out.replace(/[.]$/, '!')
  else if (dice < 0.32) out = out.replace(/[,']/g, '').toLowerCase()
  return out
}

/**
 * One document in the chat template.
 * @param {Turn[]} turns
 */
export function document(turns) {
  return turns.map(turn => `<|${turn.role}|>${turn.text}<|end|>`).join('')
}

/**
 * Documents to standard output, their counts to standard error.
 * @param {string[]} documents
 * @param {Record<string, number>} counts of each kind
 */
export function print(documents, counts) {
  const text = documents.map(each => `${each}\n<|endoftext|>\n`).join('')
  for (const [kind, count] of Object.entries(counts)) process.stderr.write(`${String(count).padStart(8)}  ${kind}\n`)
  const distinct = new Set(documents).size
  process.stderr.write(`${documents.length} documents (${distinct} distinct), ${text.length} characters\n`)
  process.stdout.write(text)
}
