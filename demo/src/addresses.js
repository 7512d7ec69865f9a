// What a reader may type to name a model, and the addresses it stands for.

export const HUB = 'https://huggingface.co/'

/**
 * The address that a reader means: a URL, the page about a file on Hugging Face, or owner/repo/file.gguf there.
 *
 * @param {string} typed
 */
export function directAddress(typed) {
  const text = typed.trim().replace(/^hf:/, '')
  const named = /^([\w.-]+\/[\w.-]+?)(?:@([\w.-]+))?\/([\w./-]+\.gguf)$/i.exec(text)
  if (named && !text.startsWith('.') && !/^[\w.-]+\.[a-z]{2,}\//i.test(text)) {
    return new URL(`${HUB}${named[1]}/resolve/${named[2] ?? 'main'}/${named[3]}`)
  }
  const url = new URL(/^[\w-]+(\.[\w-]+)+(:\d+)?\//.test(text) ? `https://${text}` : text, globalThis.document?.baseURI)
  if (!/^https?:$/.test(url.protocol)) throw new TypeError(`${url.protocol} is not an address to fetch from`)
  if (url.origin === new URL(HUB).origin) url.pathname = url.pathname.replace(/^(\/[^/]+\/[^/]+)\/blob\//, '$1/resolve/')
  return url
}

/** The parts of a split model, given its first; the file itself where it is one. @param {URL} url */
export function partsOf(url) {
  const split = /-00001-of-(\d{5})\.gguf$/.exec(url.pathname)
  if (!split) return [url]
  return Array.from({ length: Math.min(Number(split[1]), 999) }, (_, i) => {
    const part = new URL(url)
    part.pathname = url.pathname.replace(/-00001-of-/, `-${String(i + 1).padStart(5, '0')}-of-`)
    return part
  })
}

/** Asks a server for the size of a model without fetching it. @param {URL} url @param {AbortSignal} signal */
export async function remoteSize(url, signal) {
  const sizes = await Promise.all(partsOf(url).map(async part => {
    const response = await fetch(part, { method: 'HEAD', signal })
    if (!response.ok) {
      throw new Error(response.status === 404 ? 'There is no file at that address (404).'
        : response.status === 401 || response.status === 403 ? `The server wants a login first (${response.status}).`
        : `The server answered ${response.status} ${response.statusText}.`)
    }
    return Number(response.headers.get('content-length')) || NaN
  }))
  return sizes.reduce((sum, size) => sum + size, 0) || undefined
}
