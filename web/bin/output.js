import { open, rename, unlink } from 'node:fs/promises'
import process from 'node:process'
import { IteraError } from '../src/errors.js'

/**
 * Writes a file beside its final place and moves it there when it is whole, so that a full disk or an interruption
 * leaves nothing half-made under the name that was asked for.
 *
 * @template T
 * @param {string} path
 * @param {(file: import('node:fs/promises').FileHandle) => Promise<T>} body  an IteraError of its own passes through
 * @returns {Promise<T>} what `body` gave
 */
export async function writeWhole(path, body) {
  const part = `${path}.part-${process.pid}`
  try {
    const file = await open(part, 'w')
    let result
    try {
      result = await body(file)
    } finally {
      await file.close()
    }
    await rename(part, path)
    return result
  } catch (error) {
    await unlink(part).catch(() => {})
    if (error instanceof IteraError) throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw new IteraError('unwritable', `${path} cannot be written: ${reason}`, { cause: error })
  }
}
