// What the keyboard does, and the list of it.
import { byId, h } from './dom.js'

const apple = /Mac|iPhone|iPad/.test(navigator.platform)
const CTRL = apple ? '⌘' : 'Ctrl'

/** @type {[string[], string][]} */
const LIST = [
  [['Enter'], 'Send the message'],
  [['Shift', 'Enter'], 'A new line in it'],
  [[CTRL, 'Enter'], 'Write on, in a manuscript'],
  [['Esc'], 'Stop'],
  [['/'], 'To the text'],
  [['↑'], 'Edit the last message, from an empty line'],
  [[CTRL, 'K'], 'Search conversations'],
  [[CTRL, 'Shift', 'O'], 'New conversation'],
  [[CTRL, 'Shift', 'S'], 'Side list'],
  [[CTRL, 'Shift', 'E'], 'Watch the model at work'],
  [['?'], 'This list'],
]

/** @param {{ fresh: () => void, search: () => void, write: () => void, stop: () => boolean, go: () => void,
 *   side: () => void, live: () => void }} actions stop: false when there was nothing to stop or close */
export function startKeys(actions) {
  const dialog = /** @type {HTMLDialogElement} */ (/** @type {unknown} */ (byId('keys')))
  byId('keys-list').replaceChildren(...LIST.flatMap(([keys, what]) => [
    h('dt', {}, ...keys.flatMap((key, i) => [...i ? [' '] : [], h('kbd', {}, key)])), h('dd', {}, what)]))
  byId('open-keys').addEventListener('click', () => dialog.showModal())
  byId('close-keys').addEventListener('click', () => dialog.close())
  dialog.addEventListener('click', event => { if (event.target === dialog) dialog.close() })

  addEventListener('keydown', event => {
    if (event.defaultPrevented || event.isComposing || document.querySelector('dialog[open]')) return
    const typing = /** @type {HTMLElement} */ (event.target).closest?.('input:not([type=range], [type=radio]), textarea, [contenteditable]:not([contenteditable=false])')
    const done = (/** @type {() => void} */ action) => { event.preventDefault(); action() }
    const command = apple ? event.metaKey : event.ctrlKey
    const key = event.key.toLowerCase()
    if (key === 'escape') { if (actions.stop()) event.preventDefault() }
    else if (command && key === 'enter') done(actions.go)
    else if (command && !event.shiftKey && key === 'k') done(actions.search)
    else if (command && event.shiftKey && key === 'o') done(actions.fresh)
    else if (command && event.shiftKey && key === 's') done(actions.side)
    else if (command && event.shiftKey && key === 'e') done(actions.live)
    else if (!typing && !command && !event.altKey && key === '/') done(actions.write)
    else if (!typing && !command && !event.altKey && key === '?') done(() => dialog.showModal())
  })
}
