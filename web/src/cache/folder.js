import { nodeModule } from '../platform.js'

/**
 * A folder of files, in Node.
 *
 * @param {string} folder
 * @param {string} name
 * @returns {Promise<import('./store.js').Store>}
 */
export async function openFolderStore(folder, name) {
  const fs = /** @type {typeof import('node:fs/promises')} */ (await nodeModule('node:fs/promises'))
  const path = /** @type {typeof import('node:path')} */ (await nodeModule('node:path'))
  const place = path.join(folder, name)
  await fs.mkdir(place, { recursive: true })
  const file = (/** @type {string} */ key, /** @type {string} */ kind) => path.join(place, `${key}.${kind}`)
  /** For reading and writing, whether or not it is there already. @param {string} at */
  const openFile = async at => {
    await (await fs.open(at, 'a')).close()
    return fs.open(at, 'r+')
  }
  return {
    async keys() {
      return (await fs.readdir(place)).filter(entry => entry.endsWith('.log')).map(entry => entry.slice(0, -4))
    },
    async log(key) {
      try {
        return await fs.readFile(file(key, 'log'), 'utf8')
      } catch (error) {
        if (/** @type {any} */ (error).code === 'ENOENT') return ''
        throw error
      }
    },
    async open(key) {
      const log = await openFile(file(key, 'log'))
      try {
        return entryFiles(log, await openFile(file(key, 'data')))
      } catch (error) {
        await log.close()
        throw error
      }
    },
    async remove(key) {
      for (const kind of ['log', 'data']) await fs.rm(file(key, kind), { force: true })
    },
    close() {},
  }
}

/**
 * @param {import('node:fs/promises').FileHandle} log
 * @param {import('node:fs/promises').FileHandle} data
 * @returns {import('./store.js').EntryFiles}
 */
function entryFiles(log, data) {
  return {
    async readLog() {
      const { size } = await log.stat()
      const bytes = Buffer.alloc(size)
      await log.read(bytes, 0, size, 0)
      return bytes.toString('utf8')
    },
    async appendLog(text) {
      const bytes = Buffer.from(text)
      await writeAll(log, (await log.stat()).size, bytes)
    },
    async read(offset, length, buffer) {
      const bytes = buffer.length < length ? new Uint8Array(length) : buffer
      const { bytesRead } = await data.read(bytes, 0, length, offset)
      return bytes.subarray(0, bytesRead)
    },
    write: (offset, bytes) => writeAll(data, offset, bytes),
    async reset() {
      await log.truncate(0)
      await data.truncate(0)
    },
    async close() {
      await log.close()
      await data.close()
    },
  }
}

/**
 * @param {import('node:fs/promises').FileHandle} file
 * @param {number} offset
 * @param {Uint8Array} bytes
 */
async function writeAll(file, offset, bytes) {
  for (let done = 0; done < bytes.length;) {
    done += (await file.write(bytes, done, bytes.length - done, offset + done)).bytesWritten
  }
}
