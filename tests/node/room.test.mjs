import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Room } from '../../web/src/room.js'

const soon = () => new Promise(resolve => { setTimeout(resolve, 60) })

describe('room for saved conversations', () => {
  it('is made once, after a while, and given once', async () => {
    const room = new Room()
    room.prepare(1000)
    await soon()
    room.prepare(1000)
    const first = room.take(1000)
    assert.equal(first.length, 1000)
    assert.equal(first.buffer.byteLength > 1000, true)
    assert.equal(new Uint8Array(first.buffer)[0], 1, 'its pages have been written to')
    await soon()
    assert.equal(new Uint8Array(room.take(1000).buffer)[0], 0)
  })

  it('takes what is lent where that is enough, and what is ready where not', async () => {
    const room = new Room()
    room.prepare(100_000)
    await soon()
    const lent = new ArrayBuffer(500)
    const ready = room.take(1000, lent)
    assert.equal(new Uint8Array(ready.buffer)[0], 1)
    assert.equal(room.take(500, lent).buffer, lent)
    assert.equal(room.take(501, lent).buffer === lent, false)
  })

  it('is not made for files larger than what is kept, nor after the first file', async () => {
    const large = new Room()
    large.prepare(60 << 20)
    await soon()
    assert.equal(new Uint8Array(large.take(1000).buffer)[0], 0)
    assert.equal(large.take(60 << 20).buffer.byteLength, 60 << 20, 'nor is it larger than asked')
    const late = new Room()
    late.take(1000)
    late.prepare(1000)
    await soon()
    assert.equal(new Uint8Array(late.take(1000).buffer)[0], 0)
    const hasty = new Room()
    hasty.prepare(1000)
    hasty.take(1000)
    await soon()
    assert.equal(new Uint8Array(hasty.take(1000).buffer)[0], 0)
  })
})
