// Markdown from a model, as HTML that can do no harm: marked renders, DOMPurify lets through what text needs. Both
// are fetched when the first answer needs them; until then, and where they are missing or fail, the text stands as it is.

/** What answers may be made of. Nothing that loads, runs, or leaves the page without a click. */
const ALLOWED = {
  ALLOWED_TAGS: [
    'p', 'br', 'hr', 'strong', 'em', 'del', 'code', 'pre', 'blockquote', 'ul', 'ol', 'li', 'a', 'h1', 'h2', 'h3', 'h4',
    'h5', 'h6', 'table', 'thead', 'tbody', 'tr', 'th', 'td',
  ],
  ALLOWED_ATTR: ['href', 'start', 'align'],
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
}

/** @param {string} text */
const escaped = text => text.replace(/[&<>"]/g, sign => `&#${sign.charCodeAt(0)};`)

/** What would be dropped otherwise stands there in words: an answer is shown whole. */
const RENDERER = {
  /** Tags are text, but for the line breaks that tables are written with. @param {{ text: string, block?: boolean }} token */
  html: ({ text, block }) => /^<br\s*\/?>\s*$/i.test(text) ? '<br>' : block ? `<p>${escaped(text.trim())}</p>` : escaped(text),
  /** Nothing is loaded from elsewhere. @param {{ href: string, text: string }} token */
  image: ({ href, text }) => `<a href="${escaped(href)}">${escaped(text || href)}</a>`,
  /** @param {{ checked: boolean }} token */
  checkbox: ({ checked }) => checked ? '☑ ' : '☐ ',
}

/** @type {((text: string) => DocumentFragment) | null} */
let render = null
/** @type {Promise<void> | null} */
let fetching = null

/** Fetches the renderer; settled once it is there or known not to come. */
export function ready() {
  fetching ??= Promise.all([import('../vendor/marked.js'), import('../vendor/purify.js')]).then(([{ marked }, purify]) => {
    const { default: DOMPurify } = purify
    marked.use({ renderer: RENDERER })
    DOMPurify.addHook('afterSanitizeAttributes', (/** @type {Element} */ node) => {
      if (node.nodeName !== 'A') return
      node.setAttribute('target', '_blank')
      node.setAttribute('rel', 'noopener noreferrer nofollow')
    })
    render = text => /** @type {any} */ (DOMPurify.sanitize(
      /** @type {string} */ (marked.parse(text, { async: false, gfm: true, breaks: true })), ALLOWED))
  }).catch(() => { /* plain text it is */ })
  return fetching
}

/** Puts a text into an element. @param {HTMLElement} place @param {string} text */
export function show(place, text) {
  let formatted
  try {
    formatted = render?.(text)
  } catch { /* nested deeper than the renderer goes */ }
  if (!formatted) {
    place.dataset.plain = render ? 'for good' : 'so far'
    place.textContent = text
    return
  }
  delete place.dataset.plain
  // Each block is written from the side of its first letter; code always from the left.
  for (const block of formatted.children) if (block.nodeName !== 'PRE') block.setAttribute('dir', 'auto')
  // Tables and code scroll by themselves: keys must be able to reach that.
  for (const wide of formatted.querySelectorAll('pre, table')) wide.setAttribute('tabindex', '0')
  place.replaceChildren(formatted)
}
