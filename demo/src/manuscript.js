// The sheet of a story: one editable text in which the reader's words and the model's have different inks.
// All of it is plain text; the inks are ranges of the CSS Custom Highlight API, so editing, copying, spell
// checking and screen readers meet an ordinary text field. Where that API is missing there is one ink.
import { calm } from './dom.js'
import { cut, extend, followEdit } from './inks.js'

/** @typedef {import('./inks.js').Span} Span */

const highlights = typeof Highlight === 'function' ? CSS.highlights : null

/** The newest characters are still wet: three stretches behind the pen, from its colour towards that of dry ink. */
const WET = [10, 26, 54]
const DRY_MS = 140    // how long each of them takes to dry once the pen has stopped

export class Manuscript {
  /** @param {HTMLElement} root @param {() => void} edited */
  constructor(root, edited) {
    this.root = root
    this.text = read(root)
    /** @type {Span[]} what the model wrote */
    this.written = []
    /** Where the model took over last: nothing before it is wet. */
    this.penDown = 0
    if (highlights) {
      root.dataset.inks = ''
      const ink = (/** @type {string} */ name, priority = 0) => {
        const made = new Highlight()
        made.priority = priority
        highlights.set(name, made)
        return made
      }
      this.modelInk = ink('model')
      this.wetInks = WET.map((_, i) => ink(`wet-${i + 1}`, WET.length - i))
    }
    root.addEventListener('input', () => {
      const text = read(root)
      if (!text) root.replaceChildren()    // browsers leave a <br> behind, which would hide the placeholder
      this.written = followEdit(this.text, text, this.written)
      this.text = text
      this.paint()
      edited()
    })
    this.editable(true)
  }

  /** @param {boolean} yes */
  editable(yes) {
    this.root.setAttribute('contenteditable', yes ? 'plaintext-only' : 'false')
    // Older browsers treat the unknown keyword as "inherit".
    if (yes && !this.root.isContentEditable) this.root.setAttribute('contenteditable', 'true')
    this.root.setAttribute('aria-readonly', String(!yes))
  }

  /** @param {string} text @param {Span[]} [written] the stretches of it that the model wrote */
  setText(text, written = []) {
    this.text = text
    this.written = cut(written, text.length)
    this.node = document.createTextNode(text)
    this.root.replaceChildren(...(text ? [this.node] : []))
    this.paint()
  }

  /** Closes the sheet for editing and gets ready to take the model's words. */
  begin() {
    // Spaces at the end would be words of their own to the model, which begins its words with one.
    this.setText(this.text.replace(/[ \t\u00a0]+$/, ''), this.written)
    this.root.replaceChildren(/** @type {Text} */ (this.node))
    this.penDown = this.text.length
    this.editable(false)
    this.root.dataset.writing = ''
  }

  /** @param {string} piece */
  append(piece) {
    const start = this.text.length
    this.text += piece
    extend(this.written, start, this.text.length)
    this.node?.appendData(piece)
    // The last range grows; the others stand as they were.
    const [from, to] = this.written[this.written.length - 1]
    if (this.lastRange && from < start) this.lastRange.setEnd(/** @type {Text} */ (this.node), to)
    else this.paint()
    if (!calm()) this.wet()
  }

  end() {
    this.dry()
    delete this.root.dataset.writing
    this.editable(true)
    if (!this.text) this.root.replaceChildren()
  }

  /** Lays the model's ink on what it wrote. */
  paint() {
    if (!this.modelInk) return
    for (const ink of this.wetInks ?? []) ink.clear()
    this.modelInk.clear()
    for (const [from, to] of this.written) {
      this.lastRange = rangeOf(this.root, from, to)
      this.modelInk.add(this.lastRange)
    }
    if (!this.written.length) this.lastRange = undefined
  }

  /** Puts the wet stretches behind the end of the text. */
  wet() {
    let end = this.text.length
    this.wetInks?.forEach((ink, i) => {
      ink.clear()
      const start = Math.max(this.text.length - WET[i], this.penDown)
      if (start >= end) return
      ink.add(rangeOf(this.root, start, end))
      end = start
    })
  }

  /** The pen has been lifted: the colours fade from the farthest to the nearest. */
  dry() {
    this.wetInks?.toReversed().forEach((ink, i) => setTimeout(() => {
      if (!('writing' in this.root.dataset)) ink.clear()
    }, DRY_MS * (i + 1)))
  }
}

/**
 * Goes through an editable element in the order of its text, line breaks that browsers put in as elements included.
 *
 * @param {Node} root
 * @param {(text: string, node: Node) => void} visit
 */
function walk(root, visit) {
  let seen = ''
  const see = (/** @type {string} */ text, /** @type {Node} */ node) => {
    seen = text || seen
    visit(text, node)
  }
  const enter = (/** @type {Node} */ node) => {
    if (node.nodeType === Node.TEXT_NODE) see(/** @type {Text} */ (node).data, node)
    else if (node.nodeName === 'BR') see('\n', node)
    else {
      if (/^(DIV|P)$/.test(node.nodeName) && node !== root && seen && !seen.endsWith('\n')) see('\n', node)
      node.childNodes.forEach(enter)
    }
  }
  enter(root)
}

/** @param {Node} root */
function read(root) {
  let text = ''
  walk(root, part => { text += part })
  return text
}

/** The range from one place in the text to another. @param {Node} root @param {number} from @param {number} to */
function rangeOf(root, from, to) {
  const range = document.createRange()
  range.selectNodeContents(root)
  let at = 0, begun = false, ended = false
  walk(root, (part, node) => {
    const end = at + part.length
    if (node.nodeType === Node.TEXT_NODE) {
      if (!begun && from < end) { range.setStart(node, Math.max(from - at, 0)); begun = true }
      if (!ended && to <= end) { range.setEnd(node, Math.max(to - at, 0)); ended = true }
    }
    at = end
  })
  return range
}
