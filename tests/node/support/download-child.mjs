// Downloads into a folder until it is done or killed: node download-child.mjs URL FOLDER CHUNK_BYTES
import { completeTransfer } from '../../../web/src/download/transfer.js'
import { withSource } from '../../../web/src/source.js'

const [url, cacheDir, chunk] = process.argv.slice(2)
const bytes = Number(chunk)
const transfer = completeTransfer({ cacheDir, chunkBytes: bytes, requestBytes: bytes, retryDelay: 1, retries: 100 })
await withSource({ kind: 'url', url, transfer }, { signal: new AbortController().signal }, async ({ pieces, state }) => {
  for await (const _ of pieces);
  if (state.cacheError) throw new Error(state.cacheError)
})
