/**
 * Finds stop strings in text that comes in pieces. Text that may be the beginning of one is held back until
 * the next piece decides, so that no part of a stop string is ever shown.
 */
export class StopStrings {
  #stops
  #held = ''

  /** @param {string[]} stops */
  constructor(stops) {
    this.#stops = stops
  }

  /**
   * @param {string} text
   * @returns {{ text: string, stopped: boolean }} what may be shown now; when stopped, all that ever will be
   */
  push(text) {
    if (!this.#stops.length) return { text, stopped: false }
    const all = this.#held + text
    const at = this.#firstMatch(all)
    if (at >= 0) {
      this.#held = ''
      return { text: all.slice(0, at), stopped: true }
    }
    const shown = all.length - this.#openEnd(all)
    this.#held = all.slice(shown)
    return { text: all.slice(0, shown), stopped: false }
  }

  /** What was held back, when generation ended otherwise. */
  flush() {
    const text = this.#held
    this.#held = ''
    return text
  }

  /** @param {string} text @returns {number} -1 when there is none */
  #firstMatch(text) {
    const found = this.#stops.map(stop => text.indexOf(stop)).filter(at => at >= 0)
    return found.length ? Math.min(...found) : -1
  }

  /** The length of the longest end of `text` that begins a stop string. @param {string} text */
  #openEnd(text) {
    let longest = 0
    for (const stop of this.#stops) {
      for (let length = Math.min(stop.length - 1, text.length); length > longest; length--) {
        if (text.endsWith(stop.slice(0, length))) longest = length
      }
    }
    return longest
  }
}
