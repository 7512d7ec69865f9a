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
