// Reads a URL as the engine's worker does, and says what came: { count, hash, state } or { code, message }.
// `without` names what this browser shall not have.
const hide = {
  handles: () => delete FileSystemFileHandle.prototype.createSyncAccessHandle,
  database: () => delete WorkerGlobalScope.prototype.indexedDB && delete globalThis.indexedDB,
}

addEventListener('message', async ({ data: { url, options, without = [] } }) => {
  try {
    for (const name of without) hide[name]()
    const [{ openUrl }, { completeTransfer }] = await Promise.all([
      import('/web/src/download/url.js'), import('/web/src/download/transfer.js'),
    ])
    const { pieces, state, close } = await openUrl(url, completeTransfer(options), new AbortController().signal)
    const parts = []
    for await (const piece of pieces) parts.push(piece.slice())
    await close()
    const whole = await new Blob(parts).arrayBuffer()
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', whole))
    const hash = Array.from(digest, byte => byte.toString(16).padStart(2, '0')).join('')
    postMessage({ count: whole.byteLength, hash, state })
  } catch (error) {
    postMessage({ code: error.code ?? error.name, message: error.message })
  }
})
