// Tensor data of any type made of random numbers: every block is one that a quantizer could have written, and the
// weights are as large as training begins with (deviation 1 / sqrt(row length)), so activations keep their size
// through any number of layers.

/** xorshift: the same numbers everywhere, a few ten million a second. */
export class Random {
  #state

  constructor(seed = 1) { this.#state = seed | 0 || 1 }

  /** @param {Uint32Array} words */
  fill(words) {
    let x = this.#state
    for (let i = 0; i < words.length; i++) {
      x ^= x << 13
      x ^= x >>> 17
      x ^= x << 5
      words[i] = x
    }
    this.#state = x
  }

  /** In [0, 1). */
  next() {
    const word = new Uint32Array(1)
    this.fill(word)
    return word[0] / 2 ** 32
  }
}

/** Nearest IEEE half of a small positive number, as bits. */
function half(x) {
  if (x < 2 ** -14) return Math.round(x * 2 ** 24)
  const exponent = Math.floor(Math.log2(x))
  return Math.round((x / 2 ** exponent - 1) * 1024) + (exponent + 15 << 10)
}

/**
 * Each block type: its bytes, and where halves lie that scale it. `unit` is the deviation of the weights of a block
 * of random bytes whose scale is 1; a second half is the scale of the minima that put the mean back to zero.
 */
const blocks = {
  Q8_0: { bytes: 34, values: 32, unit: 73.6, halves: [[0, 1]] },
  Q4_0: { bytes: 18, values: 32, unit: 4.6, halves: [[0, 1]] },
  Q5_0: { bytes: 22, values: 32, unit: 9.2, halves: [[0, 1]] },
  Q4_K: { bytes: 144, values: 256, unit: 255, halves: [[0, 1], [2, 7.5]] },
  Q5_K: { bytes: 176, values: 256, unit: 525, halves: [[0, 1], [2, 15.5]] },
  Q6_K: { bytes: 210, values: 256, unit: 1366, halves: [[208, 1]] },
}

/** @param {string} type @param {number} values */
export function tensorBytes(type, values) {
  if (type === 'F32') return values * 4
  if (type === 'F16') return values * 2
  return values / blocks[type].values * blocks[type].bytes
}

/**
 * The tensor in pieces, each valid until the next is asked for.
 *
 * @param {{ name: string, dims: number[] }} tensor
 * @param {string} type
 * @param {Random} random
 * @returns {Generator<Uint8Array>}
 */
export function * randomTensor({ name, dims }, type, random) {
  const values = dims.reduce((product, n) => product * n, 1)
  const deviation = 1 / Math.sqrt(dims[0])
  if (type === 'F32') return yield smallTensor(name, values, deviation, random)
  // Four blocks are whole words, whatever the size of one.
  const unit = type === 'F16' ? 2 : blocks[type].bytes
  const total = tensorBytes(type, values)
  const piece = new Uint8Array(unit * 4 * 16384)
  for (let done = 0; done < total; done += piece.length) {
    const bytes = piece.subarray(0, Math.min(piece.length, total - done))
    random.fill(new Uint32Array(piece.buffer, 0, Math.ceil(bytes.length / 4)))
    if (type === 'F16') boundHalves(new Uint16Array(piece.buffer, 0, bytes.length / 2), deviation)
    else setScales(bytes, blocks[type], deviation)
    if (type === 'Q8_0') clearLowest(bytes)
    yield bytes
  }
}

function setScales(bytes, { bytes: size, unit, halves }, deviation) {
  for (const [offset, factor] of halves) {
    const bits = half(deviation / unit * factor)
    for (let at = offset; at < bytes.length; at += size) {
      bytes[at] = bits & 0xff
      bytes[at + 1] = bits >> 8
    }
  }
}

/** A quantizer writes -127 to 127; -128 would take paths of some kernels that no real file takes. */
function clearLowest(bytes) {
  for (let i = 0; i < bytes.length; i++) if (bytes[i] === 0x80 && i % 34 > 1) bytes[i] = 0x81
}

/** Random signs and mantissas, one exponent. */
function boundHalves(words, deviation) {
  const exponent = half(deviation / 1.5) & 0x7c00
  for (let i = 0; i < words.length; i++) words[i] = words[i] & 0x83ff | exponent
}

/** What stays in F32, each kind in the range that trained models have. */
const ranges = [
  [/norm\.weight$/, [0.9, 1.1]],
  [/ssm_a$/, [-16, -1]],
  [/ssm_d$/, [0.9, 1.1]],
  [/ssm_dt\.bias$/, [-6, -2]],          // softplus: steps of 0.0025 to 0.13
  [/conv1d\.weight$/, [-0.5, 0.5]],
  [/bias$/, [-0.1, 0.1]],
]

function smallTensor(name, values, deviation, random) {
  const wide = Math.sqrt(3) * deviation
  const [low, high] = ranges.find(([pattern]) => pattern.test(name))?.[1] ?? [-wide, wide]
  const words = new Uint32Array(values)
  random.fill(words)
  return new Uint8Array(Float32Array.from(words, word => low + (high - low) * word / 2 ** 32).buffer)
}
