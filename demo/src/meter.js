// Times one run: when the first token came, how fast the rest followed, and the line the pen draws.

/** Pieces are timed in windows, for several may arrive at once. One ends after this time if it has its tokens... */
const WINDOW_MS = 4
const WINDOW_TOKENS = 8
/** ...and after this time in any case. */
const LONGEST_MS = 40

export class Meter {
  /** @param {number} room the most tokens this run may write: the length of the paper */
  constructor(room) {
    this.room = room
    this.started = performance.now()
    this.firstMs = NaN
    this.tokens = 0
    /** Tokens whose text is on the page. */
    this.shown = 0
    this.promptTokens = NaN
    /** Tokens of the prompt that had to be read, the others being part of the memory. */
    this.readTokens = NaN
    /** Mean tokens per second after the first token. */
    this.perSecond = NaN
    /** @type {{ token: number, rate: number }[]} */
    this.line = []
    this.windowStart = 0
    this.windowTokens = 0
    this.done = false
  }

  /** @param {number} [tokens] tokens in the piece that has just arrived */
  add(tokens = 1) {
    const now = performance.now()
    if (Number.isNaN(this.firstMs)) {
      this.firstMs = now - this.started
      this.windowStart = now
      this.tokens += tokens
      return
    }
    this.tokens += tokens
    this.windowTokens += tokens
    const since = now - this.started - this.firstMs
    if (since > 0) this.perSecond = (this.tokens - 1) / (since / 1000)
    const elapsed = now - this.windowStart
    if (elapsed >= LONGEST_MS || (elapsed >= WINDOW_MS && this.windowTokens >= WINDOW_TOKENS)) {
      const rate = this.windowTokens / (elapsed / 1000)
      // A pen has some weight: one late window moves it half way.
      const before = this.line.at(-1)?.rate ?? rate
      this.line.push({ token: this.tokens, rate: (rate + before) / 2 })
      this.windowStart = now
      this.windowTokens = 0
    }
  }

  /**
   * The figures the package took inside its worker, better than those seen from here.
   *
   * @param {import('itera-lite').Stats | null} stats
   */
  measure(stats) {
    if (!stats) return
    this.promptTokens = stats.promptTokens
    this.readTokens = stats.promptTokens - stats.cachedTokens
    this.tokens = stats.generatedTokens
    if (stats.generatedTokens) this.firstMs = stats.ttftMs
    if (stats.decodeTps) this.perSecond = stats.decodeTps
    // A run shorter than a window still deserves its line.
    if (!this.line.length && this.perSecond > 0) this.line.push({ token: this.tokens, rate: this.perSecond })
  }

  /** The run is over, and all that is to be shown has been. */
  finish() {
    this.done = true
  }
}
