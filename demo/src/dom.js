// The few DOM helpers the other modules share.

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @returns {T}
 */
export const byId = (id) => /** @type {any} */ (document.getElementById(id))

/**
 * Makes an element: h('li', { class: 'x', onclick: f }, 'text', child).
 * @param {string} name
 * @param {Record<string, any>} [props]
 * @param {...(string | Node)} children
 */
export function h(name, props = {}, ...children) {
  const element = document.createElement(name)
  for (const [key, value] of Object.entries(props)) {
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value)
    else if (value === true) element.setAttribute(key, '')
    else if (value !== false && value != null) element.setAttribute(key, value)
  }
  element.append(...children)
  return element
}

/** One of the drawings at the top of index.html. @param {string} name */
export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  svg.setAttribute('aria-hidden', 'true')
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use')
  use.setAttribute('href', `#i-${name}`)
  svg.append(use)
  return svg
}

/**
 * A button that shows a drawing and says its name.
 *
 * @param {string} name of the drawing
 * @param {string} label
 * @param {(event: MouseEvent) => void} onclick
 * @param {Record<string, any>} [more]
 */
export const iconButton = (name, label, onclick, more = {}) =>
  h('button', { type: 'button', class: 'icon', 'aria-label': label, title: label, onclick, ...more }, icon(name))

/**
 * Puts a text on the clipboard. Pages served without TLS have none: there the text is selected for the reader's keys.
 *
 * @param {string} text
 * @param {HTMLElement} place where it stands
 * @returns {Promise<boolean>} false when it is only selected
 */
export async function copyText(text, place) {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    getSelection()?.selectAllChildren(place)
    return false
  }
}

/** Offers a file for saving. @param {Blob} blob @param {string} name */
export function saveFile(blob, name) {
  const address = URL.createObjectURL(blob)
  h('a', { href: address, download: name }).click()
  setTimeout(() => URL.revokeObjectURL(address), 60_000)
}

/** Narrow screens show the side list and the settings as drawers. */
export const narrow = matchMedia('(max-width: 60rem)')

/** Storage that may be refused (private windows, strict settings) and must never stop the page. */
export const keep = {
  /** @param {string} key @param {any} fallback */
  get(key, fallback) {
    try { return JSON.parse(localStorage.getItem(key) ?? 'null') ?? fallback } catch { return fallback }
  },
  /** @param {string} key @param {any} value */
  set(key, value) {
    try { localStorage.setItem(key, JSON.stringify(value)) } catch { /* the choice just lasts as long as the page */ }
  },
}

export const calm = () => matchMedia('(prefers-reduced-motion: reduce)').matches
