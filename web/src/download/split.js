import { IteraError } from '../errors.js'
import { positionedPieces, readHeader } from '../loader.js'
import { Metadata, ValueType } from '../metadata.js'

/**
 * A split model as the one file that it was: the metadata of the first part, the tensors of all. Headers are read first,
 * then the parts one after the other, each at most once.
 *
 * @typedef {import('../wasm.js').Wasm} Wasm
 * @typedef {import('../source.js').OpenSource} OpenSource
 * @typedef {import('./url.js').State} State
 *
 * @typedef {{ from: number, bytes: number }} Extent  of a tensor in its part
 * @typedef {(part: number, onState: (state: State) => void) => Promise<OpenSource>} OpenPart
 */

/** Metadata about the parts, and about the padding, which becomes the writer's. */
const NOT_OF_THE_WHOLE = /^(split\.|general\.alignment$)/

/** Bytes of a number by its type. @type {Record<number, number>} */
const numberBytes = { 0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8 }

const ALIGNMENT = 32

/**
 * How far several downloads are together.
 *
 * @param {number} count
 * @param {(state: State) => void} onState
 */
export function jointState(count, onState) {
  /** @type {State} */
  const joint = { loaded: 0, total: undefined, cached: 0, resumed: 0, status: 'downloading' }
  /** @type {(number | undefined)[]} */
  const totals = new Array(count)
  let done = { loaded: 0, cached: 0, resumed: 0 }
  let part = 0
  return {
    joint,
    /** Learns a size. @param {number} index @param {number | undefined} total */
    size(index, total) {
      totals[index] = total
      const sum = totals.reduce((/** @type {number | undefined} */ all, one) =>
        all === undefined || one === undefined ? undefined : all + one, 0)
      joint.total = totals.includes(undefined) ? undefined : sum
    },
    /** @param {number} index  parts come in order @returns {(state: State) => void} */
    of: index => state => {
      if (index > part) {
        part = index
        done = { loaded: joint.loaded, cached: joint.cached, resumed: joint.resumed }
      }
      Object.assign(joint, {
        loaded: done.loaded + state.loaded, cached: done.cached + state.cached, resumed: done.resumed + state.resumed,
        status: state.status, cacheError: state.cacheError,
      })
      onState(joint)
    },
  }
}

/**
 * @param {Wasm} wasm
 * @param {number} count
 * @param {OpenPart} open
 * @param {AbortSignal} signal
 * @param {(state: State) => void} onState
 * @returns {Promise<OpenSource>}
 */
export async function openSplit(wasm, count, open, signal, onState) {
  const states = jointState(count, onState)
  const writer = wasm.checkHandle(wasm.exports.itera_gguf_writer_create())
  /** @type {Extent[][]} */
  const extents = []
  let name = ''
  let isDownload = false
  try {
    for (let part = 0; part < count; part++) {
      const source = await open(part, () => {})
      name ||= source.name
      isDownload ||= source.state !== undefined
      states.size(part, source.total)
      try {
        extents.push(await addPart(wasm, writer, source, part, count, signal))
      } finally {
        await source.close?.()
      }
    }
    const header = readWriter(wasm, writer)
    const targets = extents.flat().map((_, i) => header.length + wasm.exports.itera_gguf_writer_tensor_offset(writer, i))
    const total = header.length + wasm.exports.itera_gguf_writer_tensor_offset(writer, targets.length)
    const opened = { close: async () => {} }
    return {
      name,
      total,
      state: isDownload ? states.joint : undefined,
      pieces: wholePieces({ header, extents, targets, total, signal, open: async part => {
        const source = await open(part, states.of(part))
        opened.close = source.close ?? (async () => {})
        return source
      } }),
      close: () => opened.close(),
      async remove() {
        await opened.close()
        for (let part = 0; part < count; part++) await (await open(part, () => {})).remove?.()
      },
    }
  } finally {
    wasm.exports.itera_gguf_writer_free(writer)
    wasm.dropStaging()
  }
}

/**
 * @param {Wasm} wasm
 * @param {number} writer
 * @param {OpenSource} source
 * @param {number} part
 * @param {number} count
 * @param {AbortSignal} signal
 * @returns {Promise<Extent[]>} of its tensors, in the order of the file
 */
async function addPart(wasm, writer, source, part, count, signal) {
  const x = wasm.exports
  const { gguf, metadata, pieces, fileBytes } = await readHeader(wasm, source, { signal })
  await pieces.return(undefined)
  try {
    if (metadata.get('split.no') !== part || metadata.get('split.count') !== count) {
      throw new IteraError('corrupt', `${source.name} does not say that it is part ${part + 1} of ${count}`)
    }
    if (source.total !== undefined && source.total < fileBytes) {
      throw new IteraError('incomplete', `${source.name} has ${source.total} bytes, but its header describes ${fileBytes}`)
    }
    if (part === 0) copyMetadata(wasm, writer, gguf, metadata)
    const tensors = Array.from({ length: x.itera_gguf_tensors(gguf) }, (_, index) =>
      ({ index, from: x.itera_gguf_tensor_offset_f64(gguf, index), bytes: x.itera_gguf_tensor_bytes_f64(gguf, index) }))
    tensors.sort((a, b) => a.from - b.from)
    for (const { index } of tensors) copyTensor(wasm, writer, gguf, index)
    return tensors
  } finally {
    x.itera_gguf_free(gguf)
  }
}

/** @param {Wasm} wasm @param {number} writer @param {number} gguf @param {Metadata} metadata */
function copyMetadata(wasm, writer, gguf, metadata) {
  const x = wasm.exports
  metadata.keys().forEach((key, i) => {
    if (NOT_OF_THE_WHOLE.test(key)) return
    const type = x.itera_gguf_kv_type(gguf, i)
    const element = type === ValueType.array ? x.itera_gguf_kv_element_type(gguf, i) : type
    const count = type === ValueType.array ? x.itera_gguf_kv_length(gguf, i) : 1
    wasm.check(x.itera_gguf_writer_add(writer, x.itera_gguf_kv_key(gguf, i), x.itera_gguf_kv_key_length(gguf, i),
      type, element, count, x.itera_gguf_kv_data(gguf, i), valueBytes(wasm, gguf, i, element, count)))
  })
}

/** @param {Wasm} wasm @param {number} gguf @param {number} i @param {number} element @param {number} count */
function valueBytes(wasm, gguf, i, element, count) {
  if (element !== ValueType.string) return numberBytes[element] * count
  const out = wasm.staging(8 * count)
  wasm.exports.itera_gguf_kv_strings(gguf, i, out)
  const pairs = wasm.u32(out, 2 * count)
  let sum = 8 * count                                   // the length before each
  for (let at = 1; at < pairs.length; at += 2) sum += pairs[at]
  return sum
}

/** @param {Wasm} wasm @param {number} writer @param {number} gguf @param {number} index */
function copyTensor(wasm, writer, gguf, index) {
  const x = wasm.exports
  const dims = Float64Array.from({ length: x.itera_gguf_tensor_dims(gguf, index) }, (_, d) => x.itera_gguf_tensor_dim(gguf, index, d))
  wasm.check(x.itera_gguf_writer_tensor(writer, x.itera_gguf_tensor_name(gguf, index),
    x.itera_gguf_tensor_name_length(gguf, index), dims.length, wasm.stage(new Uint8Array(dims.buffer)),
    x.itera_gguf_tensor_type(gguf, index)))
}

/** @param {Wasm} wasm @param {number} writer @returns {Uint8Array} */
function readWriter(wasm, writer) {
  const out = wasm.staging(4)
  const length = wasm.exports.itera_gguf_writer_header(writer, out) >>> 0
  if (!length) throw wasm.error(wasm.exports.itera_last_status() || -2)
  return wasm.u8(wasm.u32(out, 1)[0], length).slice()
}

/**
 * @param {object} whole
 * @param {Uint8Array} whole.header
 * @param {Extent[][]} whole.extents  by part
 * @param {number[]} whole.targets  where each tensor goes
 * @param {number} whole.total
 * @param {AbortSignal} whole.signal
 * @param {(part: number) => Promise<OpenSource>} whole.open
 */
async function * wholePieces({ header, extents, targets, total, signal, open }) {
  yield header
  let position = header.length
  let first = 0                                         // tensor of the part, counted through all parts
  const padding = (/** @type {number} */ to) => new Uint8Array(Math.max(0, Math.min(to - position, ALIGNMENT)))
  for (const [part, tensors] of extents.entries()) {
    const source = await open(part)
    try {
      let next = 0
      for await (const { offset, bytes } of positionedPieces(source, signal)) {
        while (next < tensors.length) {
          const { from, bytes: length } = tensors[next]
          const start = Math.max(from, offset)
          const end = Math.min(from + length, offset + bytes.length)
          if (start < end) {
            const gap = padding(targets[first + next] + start - from)
            if (gap.length) yield gap
            yield bytes.subarray(start - offset, end - offset)
            position += gap.length + end - start
          }
          if (from + length > offset + bytes.length) break
          next++
        }
      }
      if (next < tensors.length) throw new IteraError('incomplete', `${source.name} ends too early`)
      first += tensors.length
    } finally {
      await source.close?.()
    }
  }
  const gap = padding(total)
  if (gap.length) yield gap
}
