/**
 * Downloads that do not live long: connections cut and programs ended at random places, a given number of times.
 *
 * @typedef {Awaited<ReturnType<typeof import('./hostile-server.mjs').hostileServer>>} HostileServer
 */
export class Kills {
  #server
  #random
  #chunkBytes
  #wanted

  /** How many there were. */
  count = 0

  /**
   * @param {{ server: HostileServer, random: () => number, chunkBytes: number, wanted: number }} of
   */
  constructor({ server, random, chunkBytes, wanted }) {
    this.#server = server
    this.#random = random
    this.#chunkBytes = chunkBytes
    this.#wanted = wanted
  }

  get done() { return this.count >= this.#wanted }

  /**
   * Chooses the next kill and, after a connection is cut, the one after that.
   *
   * @param {() => void} end  ends whoever downloads
   */
  arm(end) {
    if (this.done) return this.#server.disarm()
    const random = this.#random
    // Mostly anywhere; sometimes just as a chunk is complete, to hit what happens then.
    const onBorder = random() < 0.3
    const wait = onBorder ? (1 + Math.floor(random() * 4)) * this.#chunkBytes : Math.ceil(random() * 4 * this.#chunkBytes)
    const cutting = random() < 0.4
    this.#server.after(wait, cut => {
      this.count++
      if (!cutting) return setTimeout(end, onBorder ? random() * 8 : 0)
      this.arm(end)
      cut()
    }, { hold: !onBorder && !cutting })
  }
}
