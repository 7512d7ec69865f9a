import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Merger, PairTable } from '../../web/src/tokenizer/merges.js'
import { createRandom, seed } from './support/random.mjs'

/** The definition, as slow as it is plain: join the leftmost pair of lowest rank until there is none. */
function mergePlainly(merges, symbols) {
  symbols = [...symbols]
  for (;;) {
    let best = null
    for (let i = 0; i + 1 < symbols.length; i++) {
      const rank = merges.findIndex(merge => merge[0] === symbols[i] && merge[1] === symbols[i + 1])
      if (rank >= 0 && (best === null || rank < best.rank)) best = { rank, i }
    }
    if (best === null) return symbols
    symbols.splice(best.i, 2, merges[best.rank][2])
  }
}

/** Merges over few symbols, where later ones build on earlier ones, so that chains and ties abound. */
function randomMerges(random, count) {
  const merges = []
  let symbols = 3
  while (merges.length < count) {
    const left = Math.floor(random() * symbols)
    const right = Math.floor(random() * symbols)
    if (merges.some(merge => merge[0] === left && merge[1] === right)) continue
    merges.push([left, right, symbols++])
  }
  // Ranks in an order of their own, as hostile files may have.
  return merges.sort(() => random() - 0.5)
}

describe('merges', () => {
  // The two ways of finding the best pair meet at 32 symbols.
  for (const length of [0, 1, 2, 3, 5, 17, 31, 32, 33, 34, 64, 150]) {
    it(`of a word of ${length} symbols follow the definition`, () => {
      const random = createRandom(seed + length)
      for (let round = 0; round < 60; round++) {
        const merges = randomMerges(random, 1 + Math.floor(random() * 30))
        const table = new PairTable(merges.length)
        merges.forEach(([left, right, merged], rank) => table.add(left, right, rank, merged))
        const word = Int32Array.from({ length }, () => Math.floor(random() * 3))
        const expected = mergePlainly(merges, word)
        const count = new Merger(table).merge(word, length)
        assert.deepEqual([...word.subarray(0, count)], expected, `ITERA_SEED=${seed}, round ${round}`)
      }
    })
  }

  it('keep the first rank of a pair that is listed twice', () => {
    const table = new PairTable(2)
    table.add(1, 2, 0, 7)
    table.add(1, 2, 1, 8)
    const word = Int32Array.of(1, 2)
    assert.equal(new Merger(table).merge(word, 2), 1)
    assert.equal(word[0], 7)
  })

  it('of a very long word take no more than a moment', () => {
    const table = new PairTable(20)
    for (let i = 0; i < 20; i++) table.add(i, i, i, i + 1)
    const word = new Int32Array(1 << 20)
    const start = performance.now()
    assert.equal(new Merger(table).merge(word, word.length), 1)
    assert.ok(performance.now() - start < 30_000)
  })
})
