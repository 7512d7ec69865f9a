import { unlinkSync } from 'node:fs'
import { open, realpath, rename, stat, unlink } from 'node:fs/promises'
import process from 'node:process'
import { IteraError } from '../src/errors.js'

/**
 * Writes a file beside its final place and moves it there when it is whole, so that a full disk or an interruption
 * leaves nothing half-made under the name that was asked for. What is no file, a pipe or a device, is written to as it is.
 *
 * @template T
 * @param {string} path
 * @param {(file: import('node:fs/promises').FileHandle) => Promise<T>} body  an IteraError of its own passes through
 * @returns {Promise<T>} what `body` gave
 */
export async function writeWhole(path, body) {
  try {
    const place = await realpath(path).catch(() => path)    // a link stays one
    const old = await stat(place).catch(() => null)
    return old && !old.isFile() ? await writeTo(place, body) : await replace(place, body, old?.mode)
  } catch (error) {
    if (error instanceof IteraError) throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw new IteraError('unwritable', `${path} cannot be written: ${reason}`, { cause: error })
  }
}

/**
 * @template T
 * @param {string} place
 * @param {(file: import('node:fs/promises').FileHandle) => Promise<T>} body
 * @param {number} [mode]  of the file that is there already
 */
async function replace(place, body, mode) {
  const part = `${place}.part-${process.pid}`
  const end = (/** @type {NodeJS.Signals} */ signal) => {
    try { unlinkSync(part) } catch {}
    process.off('SIGINT', end).off('SIGTERM', end)
    process.kill(process.pid, signal)                       // now as if nobody had listened
  }
  process.on('SIGINT', end).on('SIGTERM', end)
  try {
    const result = await writeTo(part, body, mode)
    await rename(part, place)
    return result
  } catch (error) {
    await unlink(part).catch(() => {})
    throw error
  } finally {
    process.off('SIGINT', end).off('SIGTERM', end)
  }
}

/**
 * @template T
 * @param {string} place
 * @param {(file: import('node:fs/promises').FileHandle) => Promise<T>} body
 * @param {number} [mode]
 */
async function writeTo(place, body, mode) {
  const file = await open(place, 'w', mode)
  try {
    if (mode !== undefined) await file.chmod(mode)          // open leaves out what the umask does
    return await body(file)
  } finally {
    await file.close()
  }
}
