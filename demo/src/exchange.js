// Conversations as files: the messages with all their branches as JSON, or the package's own snapshot, in which the
// engine's memory is included and which goes on in any browser without reading anything again.
import { checkTurns, newId } from './tree.js'

/** @typedef {import('./store.js').Conversation} Conversation */

const FORMAT = 'itera-conversation'
const LARGEST = 64e6

/** A conversation that nobody has named is called after its first words. */
const TITLE_LENGTH = 60

/** Its first characters, none of them cut in two. @param {string} text @param {number} length */
export const firstOf = (text, length) => Array.from(text.slice(0, 2 * length)).slice(0, length).join('')

/** @param {Conversation} record */
export function titleOf(record) {
  if (record.named && record.title) return record.title
  const first = record.turns.find(turn => turn.parent === null && turn.text.trim())
  const words = (first?.text ?? record.draft?.text ?? '').trim().replace(/\s+/g, ' ')
  if (!words) return record.kind === 'story' ? 'New manuscript' : 'New conversation'
  const title = firstOf(words, TITLE_LENGTH)
  return title === words ? words : `${title.replace(/\s+\S*$/, '')}…`
}

/** @param {Conversation} record */
export function toJson(record) {
  const { kind, system, model, created, updated, turns, leaf } = record
  return new Blob([JSON.stringify({
    format: FORMAT, version: 1, title: titleOf(record), kind, system, model: model?.name ?? null, created, updated, turns, leaf,
  }, null, 1)], { type: 'application/json' })
}

/** A file name of its title. @param {Conversation} record @param {string} ending */
export const fileName = (record, ending) =>
  `${firstOf(titleOf(record).replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-|-$/g, '').toLowerCase(), 50) || 'conversation'}.${ending}`

/** @param {string} why */
const refuse = why => Object.assign(new Error(why), { code: 'import' })

/**
 * A conversation from what toJson wrote, or from a plain list of messages as other programs write it.
 *
 * @param {Blob} file
 * @returns {Promise<Conversation>}
 */
export async function fromJson(file) {
  if (file.size > LARGEST) throw refuse('the file is larger than any conversation')
  let given
  try {
    given = JSON.parse(await file.text())
  } catch (error) {
    throw refuse(`not JSON: ${/** @type {Error} */ (error).message}`)
  }
  if (given?.format !== FORMAT) return fromMessages(Array.isArray(given) ? given : given?.messages)
  const turns = checkTurns(given.turns)
  if (!turns) throw refuse('its turns contradict each other')
  const leaf = turns.some(({ id }) => id === given.leaf) ? given.leaf : turns.at(-1)?.id ?? null
  return {
    ...blank(given.kind === 'story' ? 'story' : 'chat'),
    system: typeof given.system === 'string' ? given.system : '',
    ...typeof given.title === 'string' && given.title && { title: firstOf(given.title, 200), named: true },
    ...fresh(turns, leaf),
  }
}

/**
 * @param {any} messages
 * @param {'chat' | 'story'} [kind]
 * @returns {Conversation}
 */
export function fromMessages(messages, kind = 'chat') {
  if (!Array.isArray(messages)) throw refuse('it has no messages')
  const record = blank(kind)
  /** @type {string | null} */
  let parent = null
  for (const message of messages) {
    const { role } = message ?? {}
    const content = textOf(message?.content)
    if (content === null) throw refuse('one of its messages has no text')
    if (role === 'system') { record.system = content; continue }
    if (role !== 'user' && role !== 'assistant') throw refuse(`a message of the unknown role ${String(role)}`)
    const id = newId()
    record.turns.push({ id, parent, role, text: content, at: Date.now() })
    parent = id
  }
  if (!parent) throw refuse('it has no messages')
  record.leaf = parent
  return record
}

/** What a message says: a text, or a list of its parts. @param {any} content @returns {string | null} */
function textOf(content) {
  if (typeof content === 'string') return content
  if (!Array.isArray(content) || !content.length) return null
  return content.every(part => part?.type === 'text' && typeof part.text === 'string') ? content.map(({ text }) => text).join('') : null
}

/** @param {'chat' | 'story'} kind @returns {Conversation} */
export const blank = kind => ({
  id: newId(), title: '', kind, system: '', model: null, created: Date.now(), updated: Date.now(), turns: [], leaf: null,
})

/**
 * The same turns under names of their own: the file may come back to the page that wrote it.
 *
 * @param {import('./tree.js').Turn[]} turns
 * @param {string | null} leaf
 */
function fresh(turns, leaf) {
  const names = new Map(turns.map(({ id }) => [id, newId()]))
  const renamed = (/** @type {string | null | undefined} */ id) => id == null ? null : names.get(id) ?? null
  return {
    turns: turns.map(({ next, ...turn }) => ({
      ...turn, id: /** @type {string} */ (renamed(turn.id)), parent: renamed(turn.parent),
      ...next && { next: /** @type {string} */ (renamed(next)) },
    })),
    leaf: renamed(leaf),
  }
}
