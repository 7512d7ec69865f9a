/**
 * The merges of byte-pair encoding.
 *
 * A word starts as one symbol per byte. Among all neighbours that form a known merge, the one of lowest rank is joined,
 * the leftmost of several, until none is left. Symbols are numbers: token ids, or numbers past the vocabulary for the
 * few strings that merges mention but the vocabulary lacks.
 */

/** Ranks must leave room for a position in one exact float64: rank * 2^32 + position. */
export const maxMerges = 2 ** 20

/** Up to this many symbols a scan for the best pair is faster than keeping a heap. */
const scanLimit = 32

const none = -1

/** Pairs of symbols and what they merge to: open addressing over one Int32Array, four numbers a slot. */
export class PairTable {
  /** @param {number} count  of pairs, at most */
  constructor(count) {
    // At most half full, so that a search ends after a step or two.
    let capacity = 16
    while (capacity < count * 2) capacity *= 2
    this.mask = capacity - 1
    this.slots = new Int32Array(capacity * 4).fill(none) // left, right, rank, merged
  }

  /**
   * Where this pair is or would be.
   * @param {number} left
   * @param {number} right
   * @returns {number} index of its slot
   */
  find(left, right) {
    const { slots, mask } = this
    let hash = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b)
    hash ^= hash >>> 15
    for (let slot = (hash & mask) * 4; ; slot = (slot + 4) & (mask * 4 + 3)) {
      if (slots[slot] === none || (slots[slot] === left && slots[slot + 1] === right)) return slot
    }
  }

  /**
   * The first rank given for a pair stays.
   * @param {number} left
   * @param {number} right
   * @param {number} rank
   * @param {number} merged
   */
  add(left, right, rank, merged) {
    const slot = this.find(left, right)
    if (this.slots[slot] !== none) return
    this.slots[slot] = left
    this.slots[slot + 1] = right
    this.slots[slot + 2] = rank
    this.slots[slot + 3] = merged
  }
}

/** Applies merges to one word at a time; its buffers grow to the longest word seen. */
export class Merger {
  /** @param {PairTable} pairs */
  constructor(pairs) {
    this.pairs = pairs
    this.capacity = 0
    // slot[i] is the table slot of the pair that begins at i; an empty slot has rank -1.
    this.slot = new Int32Array(0)
    this.next = new Int32Array(0)
    this.previous = new Int32Array(0)
  }

  /**
   * Merges in place.
   * @param {Int32Array} symbols
   * @param {number} count  how many of them make the word
   * @returns {number} how many are left, at the front
   */
  merge(symbols, count) {
    if (count < 2) return count
    if (count > this.capacity) this.#reserve(count)
    return count <= scanLimit ? this.#mergeByScan(symbols, count) : this.#mergeByHeap(symbols, count)
  }

  /** @param {number} count */
  #reserve(count) {
    const capacity = Math.max(count, 2 * this.capacity, 256)
    this.capacity = capacity
    this.slot = new Int32Array(capacity)
    this.next = new Int32Array(capacity)
    this.previous = new Int32Array(capacity)
  }

  /** @param {Int32Array} symbols @param {number} count */
  #mergeByScan(symbols, count) {
    const { pairs, slot } = this
    const { slots } = pairs
    for (let i = 0; i + 1 < count; i++) slot[i] = pairs.find(symbols[i], symbols[i + 1])
    while (count > 1) {
      let best = none
      let bestRank = maxMerges
      for (let i = 0; i + 1 < count; i++) {
        const rank = slots[slot[i] + 2]
        if (rank !== none && rank < bestRank) {
          best = i
          bestRank = rank
        }
      }
      if (best === none) break
      symbols[best] = slots[slot[best] + 3]
      count--
      symbols.copyWithin(best + 1, best + 2, count + 1)
      slot.copyWithin(best + 1, best + 2, count)
      if (best > 0) slot[best - 1] = pairs.find(symbols[best - 1], symbols[best])
      if (best + 1 < count) slot[best] = pairs.find(symbols[best], symbols[best + 1])
    }
    return count
  }

  /** @param {Int32Array} symbols @param {number} count */
  #mergeByHeap(symbols, count) {
    const { pairs, slot, next, previous } = this
    const { slots } = pairs
    const heap = new Heap(count)

    /** Looks up the pair that begins at i and queues it. @param {number} i */
    const consider = i => {
      slot[i] = pairs.find(symbols[i], symbols[next[i]])
      const rank = slots[slot[i] + 2]
      if (rank !== none) heap.push(rank * 2 ** 32 + i)
    }

    for (let i = 0; i < count; i++) {
      previous[i] = i - 1
      next[i] = i + 1
    }
    next[count - 1] = none
    for (let i = 0; i + 1 < count; i++) consider(i)

    while (heap.size > 0) {
      const entry = heap.pop()
      const rank = Math.floor(entry / 2 ** 32)
      const left = entry - rank * 2 ** 32
      const right = next[left]
      // Entries are not withdrawn when one of their symbols changes: one that no longer fits is passed over here.
      if (right === none || symbols[left] === none || slots[slot[left] + 2] !== rank) continue
      symbols[left] = slots[slot[left] + 3]
      symbols[right] = none
      next[left] = next[right]
      if (next[left] !== none) {
        previous[next[left]] = left
        consider(left)
      }
      if (previous[left] !== none) consider(previous[left])
    }

    let kept = 0
    for (let i = 0; i !== none; i = next[i]) symbols[kept++] = symbols[i]
    return kept
  }
}

/** A binary heap of numbers, smallest first. */
class Heap {
  /** @param {number} capacity */
  constructor(capacity) {
    this.entries = new Float64Array(capacity)
    this.size = 0
  }

  /** @param {number} entry */
  push(entry) {
    if (this.size === this.entries.length) {
      const grown = new Float64Array(this.size * 2)
      grown.set(this.entries)
      this.entries = grown
    }
    const { entries } = this
    let i = this.size++
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (entries[parent] <= entry) break
      entries[i] = entries[parent]
      i = parent
    }
    entries[i] = entry
  }

  /** @returns {number} the smallest; the heap must not be empty */
  pop() {
    const { entries } = this
    const smallest = entries[0]
    const last = entries[--this.size]
    let i = 0
    for (let child = 1; child < this.size; child = 2 * i + 1) {
      if (child + 1 < this.size && entries[child + 1] < entries[child]) child++
      if (entries[child] >= last) break
      entries[i] = entries[child]
      i = child
    }
    entries[i] = last
    return smallest
  }
}
