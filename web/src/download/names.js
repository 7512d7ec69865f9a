import { IteraError } from '../errors.js'

/**
 * Names of models and the URLs they stand for.
 */

const HUB = 'https://huggingface.co'

/** The page on which people see a file, in place of the file. */
const HUB_PAGE = /^https:\/\/(?:www\.)?(?:huggingface\.co|hf\.co)\/([^/]+\/[^/]+)\/blob\/(.+)$/

/**
 * `hf:owner/repo/folder/file.gguf`, `hf:owner/repo@revision/file.gguf`
 *
 * @param {string} name
 */
function locateOnHub(name) {
  const match = /^hf:(?:\/\/)?([^/@\s]+)\/([^/@\s]+)(?:@([^/\s]+))?\/([^\s?#]+)$/.exec(name)
  if (!match) {
    throw new IteraError('argument', `a file on Hugging Face is named hf:owner/repo/file.gguf; got ${name}`)
  }
  const [, owner, repo, revision = 'main', file] = match
  return `${HUB}/${owner}/${repo}/resolve/${encodeURIComponent(revision)}/${file}`
}

/**
 * The absolute URL of a name or address, without its fragment.
 *
 * @param {string | URL} source
 * @returns {string}
 */
export function locate(source) {
  const text = String(source)
  if (/^hf:/i.test(text)) return locateOnHub(text)
  let url
  try {
    url = new URL(text, globalThis.document?.baseURI ?? globalThis.location?.href)
  } catch (error) {
    throw new IteraError('argument', `${text} is no URL`, { cause: error })
  }
  url.hash = ''
  return url.href.replace(HUB_PAGE, `${HUB}/$1/resolve/$2`)
}

/** Can it be fetched, and fetched again later? @param {string} url */
export const isLasting = url => /^https?:/.test(url)

/** The last part of a URL. @param {string} url */
export function fileNameOf(url) {
  const name = new URL(url).pathname.split('/').pop() ?? ''
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}

const SPLIT = /-(\d{5})-of-(\d{5})(?=\.gguf(?:$|[?#]))/

/** More files than any model has. */
const MOST_FILES = 1000

/**
 * The URLs or paths of all parts of a split model, in order; null where the name is not that of a part.
 *
 * @param {string} name
 * @returns {string[] | null}
 */
export function splitNames(name) {
  const match = SPLIT.exec(name)
  const count = Number(match?.[2])
  if (!match || count < 2 || count > MOST_FILES) return null
  return Array.from({ length: count }, (_, i) => name.replace(SPLIT, `-${String(i + 1).padStart(5, '0')}-of-${match[2]}`))
}
