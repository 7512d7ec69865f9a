// A small menu at a button, and the dialog that asks one question.
import { byId, h, icon } from './dom.js'

/** @typedef {{ label: string, icon: string, do: () => void, id?: string }} Item */

/** @type {(() => void) | null} */
let close = null

/** @param {HTMLElement} button @param {Item[]} items */
export function openMenu(button, items) {
  close?.()
  const menu = byId('menu')
  menu.replaceChildren(...items.map(item => h('button', {
    type: 'button', role: 'menuitem', tabindex: '-1', 'data-testid': item.id ?? false,
    onclick: () => { close?.(); item.do() },
  }, icon(item.icon), item.label)))
  menu.setAttribute('aria-label', button.getAttribute('aria-label') ?? 'Menu')
  menu.hidden = false
  const at = button.getBoundingClientRect()
  const { offsetWidth, offsetHeight } = menu
  menu.style.left = `${Math.max(8, Math.min(at.left, innerWidth - offsetWidth - 8))}px`
  menu.style.top = `${at.bottom + offsetHeight + 8 > innerHeight ? at.top - offsetHeight - 4 : at.bottom + 4}px`
  button.setAttribute('aria-expanded', 'true')

  const buttons = /** @type {HTMLElement[]} */ ([...menu.children])
  const keys = (/** @type {KeyboardEvent} */ event) => {
    const now = buttons.indexOf(/** @type {HTMLElement} */ (document.activeElement))
    const to = { ArrowDown: now + 1, ArrowUp: now - 1, Home: 0, End: buttons.length - 1 }[event.key]
    if (to !== undefined) buttons[(to + buttons.length) % buttons.length].focus()
    else if (event.key === 'Escape' || event.key === 'Tab') close?.()
    else return
    if (event.key !== 'Tab') event.preventDefault()
    event.stopPropagation()
  }
  const outside = (/** @type {Event} */ event) => { if (!menu.contains(/** @type {Node} */ (event.target))) close?.() }
  close = () => {
    close = null
    menu.hidden = true
    button.setAttribute('aria-expanded', 'false')
    menu.removeEventListener('keydown', keys)
    removeEventListener('pointerdown', outside, true)
    button.focus()
  }
  menu.addEventListener('keydown', keys)
  addEventListener('pointerdown', outside, true)
  buttons[0]?.focus()
}

/**
 * Asks for a word, or for a yes.
 *
 * @param {{ title: string, text?: string, value?: string, yes: string }} question with `value` there is a field
 * @returns {Promise<string | null>} what stands in the field ('' without one); null for no
 */
export function ask({ title, text = '', value, yes }) {
  const dialog = /** @type {HTMLDialogElement} */ (/** @type {unknown} */ (byId('ask')))
  const field = /** @type {HTMLInputElement} */ (byId('ask-field'))
  byId('ask-title').textContent = title
  byId('ask-text').textContent = text
  byId('ask-text').hidden = !text
  byId('ask-yes').textContent = yes
  field.hidden = value === undefined
  field.value = value ?? ''
  dialog.returnValue = ''
  dialog.showModal()
  if (value === undefined) byId('ask-yes').focus()
  else field.select()
  return new Promise(resolve => {
    const closed = () => {
      if (dialog.open) return                           // the event of an earlier question comes late
      dialog.removeEventListener('close', closed)
      resolve(dialog.returnValue === 'yes' ? field.value : null)
    }
    dialog.addEventListener('close', closed)
  })
}

byId('ask-no').addEventListener('click', () => /** @type {any} */ (byId('ask')).close())
