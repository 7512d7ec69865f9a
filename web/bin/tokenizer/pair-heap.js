/**
 * Pairs by how often they occur, the most frequent first, of equals the one of the smaller symbols. Entries are not
 * withdrawn when a count changes; whoever takes one compares it with the present count.
 */
export class PairHeap {
  #counts = new Float64Array(1024)
  #pairs = new Float64Array(1024)
  size = 0

  /** @param {number} count @param {number} pair */
  push(count, pair) {
    if (this.size === this.#counts.length) this.#grow()
    let i = this.size++
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (!this.#before(count, pair, parent)) break
      this.#move(parent, i)
      i = parent
    }
    this.#set(i, count, pair)
  }

  /** The first entry, which is removed; the heap must not be empty. */
  pop() {
    const top = { count: this.#counts[0], pair: this.#pairs[0] }
    const last = --this.size
    const count = this.#counts[last]
    const pair = this.#pairs[last]
    let i = 0
    for (let child = 1; child < last; child = 2 * i + 1) {
      if (child + 1 < last && this.#before(this.#counts[child + 1], this.#pairs[child + 1], child)) child++
      if (this.#before(count, pair, child)) break
      this.#move(child, i)
      i = child
    }
    this.#set(i, count, pair)
    return top
  }

  /** @param {number} count @param {number} pair @param {number} i */
  #before(count, pair, i) {
    return count > this.#counts[i] || (count === this.#counts[i] && pair < this.#pairs[i])
  }

  /** @param {number} from @param {number} to */
  #move(from, to) { this.#set(to, this.#counts[from], this.#pairs[from]) }

  /** @param {number} i @param {number} count @param {number} pair */
  #set(i, count, pair) {
    this.#counts[i] = count
    this.#pairs[i] = pair
  }

  #grow() {
    const [counts, pairs] = [this.#counts, this.#pairs]
    this.#counts = new Float64Array(counts.length * 2)
    this.#pairs = new Float64Array(counts.length * 2)
    this.#counts.set(counts)
    this.#pairs.set(pairs)
  }
}
