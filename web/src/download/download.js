import { IteraError } from '../errors.js'
import { progressReport } from '../progress.js'
import { partsOf, withSource } from '../source.js'
import { fileNameOf, isLasting } from './names.js'
import { jointState } from './split.js'

/**
 * Fetches a model into the cache, all of it.
 *
 * @param {{ source: import('../source.js').SourceDescription }} args
 * @param {import('../engine.js').JobContext} context
 * @returns {Promise<import('../../types.d.ts').CachedModel>}
 */
export async function download({ source }, { signal, emit }) {
  if (source.kind !== 'url' || !isLasting(source.url)) {
    throw new IteraError('argument', 'only what has an http or https address can be downloaded')
  }
  if (!source.transfer?.cache) throw new IteraError('storage', 'there is no cache here; in Node say { cacheDir }')
  const report = progressReport(progress => emit('progress', progress))
  const parts = partsOf(source) ?? [source]
  const { joint, size, of } = jointState(parts.length, report.state)
  if (parts.length > 1) {
    // The sizes first, from a chunk of each, which stays.
    for (const [index, part] of parts.entries()) size(index, await fetchPart(part, { signal, most: 1 }))
  }
  for (const [index, part] of parts.entries()) {
    const onState = of(index)
    size(index, await fetchPart(part, { signal, onState: state => {
      if (state.total !== undefined) size(index, state.total)
      onState(state)
    } }))
  }
  const { url } = /** @type {{ url: string }} */ (parts[0])
  const { loaded: bytes, total } = joint                // all that came is kept, or else there was an error
  return { url, name: fileNameOf(url), bytes, total, complete: bytes === total, files: parts.length, updated: Date.now() }
}

/**
 * @param {import('../source.js').SourceDescription} part
 * @param {{ signal: AbortSignal, onState?: (state: import('./url.js').State) => void, most?: number }} options  most: so many chunks
 * @returns {Promise<number | undefined>} its size
 */
function fetchPart(part, { signal, onState, most = Infinity }) {
  return withSource(part, { signal, onState }, async ({ pieces, state }) => {
    let count = 0
    for await (const _ of pieces) {
      if (signal.aborted) throw new IteraError('aborted', 'the download was aborted')
      if (state?.cacheError) throw cannotKeep(state.cacheError)
      if (++count >= most) break
    }
    // A file of one chunk may fail on its end, and one of none has no piece to fail on.
    if (state?.cacheError) throw cannotKeep(state.cacheError)
    return state?.total
  })
}

/** @param {'quota' | 'storage'} code */
const cannotKeep = code => new IteraError(code, code === 'quota'
  ? 'there is no room to keep the download'
  : 'downloads cannot be kept here: the site may store nothing, or the disk fails')
