// A hook: the model of a source, and a function that streams text into state.
import { useCallback, useEffect, useRef, useState } from 'react'
import { Itera } from 'itera-lite'

/**
 * @param {import('itera-lite').ModelSource} source  the same value from render to render
 * @returns {{
 *   status: 'loading' | 'ready' | 'writing' | 'failed',
 *   progress: number,
 *   text: string,
 *   error: import('itera-lite').IteraError | null,
 *   write: (prompt: string, options?: import('itera-lite').GenerateOptions) => Promise<void>,
 *   stop: () => void,
 * }}
 */
export function useItera(source) {
  const model = useRef(/** @type {import('itera-lite').Model | null} */ (null))
  const writing = useRef(/** @type {AbortController | null} */ (null))
  const [status, setStatus] = useState(/** @type {'loading' | 'ready' | 'writing' | 'failed'} */ ('loading'))
  const [progress, setProgress] = useState(0)
  const [text, setText] = useState('')
  const [error, setError] = useState(/** @type {import('itera-lite').IteraError | null} */ (null))

  useEffect(() => {
    // In strict mode React runs this twice: the first load is aborted and leaves nothing behind.
    const leaving = new AbortController()
    setStatus('loading')
    setError(null)
    const failed = (/** @type {import('itera-lite').IteraError} */ reason) => {
      if (leaving.signal.aborted) return
      setError(reason)
      setStatus('failed')
    }
    Itera.load(source, {
      signal: leaving.signal,
      onProgress: ({ loaded, total }) => setProgress(total ? loaded / total : 0),
    }).then(loaded => {
      if (leaving.signal.aborted) return loaded.dispose()
      model.current = loaded
      setStatus('ready')
      loaded.lost.then(failed)
    }, failed)
    return () => {
      leaving.abort()
      writing.current?.abort()
      model.current?.dispose()
      model.current = null
    }
  }, [source])

  const write = useCallback(async (/** @type {string} */ prompt, /** @type {import('itera-lite').GenerateOptions} */ options = {}) => {
    if (!model.current) return
    writing.current?.abort()
    const mine = writing.current = new AbortController()
    setStatus('writing')
    setText(prompt)
    try {
      for await (const piece of model.current.generate(prompt, { ...options, signal: mine.signal })) {
        if (writing.current === mine) setText(before => before + piece.text)
      }
    } catch (reason) {
      if (writing.current === mine) setError(/** @type {import('itera-lite').IteraError} */ (reason))
    }
    if (writing.current === mine && model.current && !model.current.error) setStatus('ready')
  }, [])

  const stop = useCallback(() => writing.current?.abort(), [])

  return { status, progress, text, error, write, stop }
}
