/**
 * The core's sampler with the options of one generation.
 *
 * @typedef {import('./wasm.js').Wasm} Wasm
 * @typedef {import('./session.js').Session} Session
 * @typedef {import('./options.js').GenerationOptions} GenerationOptions
 */

/** Numbers of the options on the other side. */
const Setting = Object.freeze({
  temperature: 0, topK: 1, topP: 2, minP: 3, repetitionPenalty: 4, presencePenalty: 5, frequencyPenalty: 6, seed: 7,
  penaltyWindow: 8,
})

export class Sampler {
  #wasm
  #handle
  /** Where the core finds the tokens that are allowed; 0 while all are. */
  #mask = 0

  /**
   * @param {Wasm} wasm
   * @param {number} vocabulary
   * @param {GenerationOptions} options
   */
  constructor(wasm, vocabulary, options) {
    this.#wasm = wasm
    const x = wasm.exports
    this.#handle = wasm.checkHandle(x.itera_sampler_create(vocabulary))
    try {
      for (const [name, which] of Object.entries(Setting)) {
        x.itera_sampler_set(this.#handle, which, options[/** @type {keyof typeof Setting} */ (name)])
      }
      for (const [token, bias] of Object.entries(options.logitBias)) {
        wasm.check(x.itera_sampler_bias(this.#handle, Number(token), bias))
      }
    } catch (error) {
      this.free()
      throw error
    }
  }

  /**
   * Records tokens for the penalties.
   *
   * @param {ArrayLike<number>} tokens
   */
  accept(tokens) {
    for (let i = 0; i < tokens.length; i++) this.#wasm.exports.itera_sampler_accept(this.#handle, tokens[i])
  }

  /**
   * Lets only some tokens be sampled, until told otherwise.
   *
   * @param {Int32Array} allowed  a bit a token
   */
  mask(allowed) {
    if (!this.#mask) {
      this.#mask = this.#wasm.alloc(allowed.byteLength)
      this.#wasm.exports.itera_sampler_mask(this.#handle, this.#mask)
    }
    this.#wasm.i32(this.#mask, allowed.length).set(allowed)
  }

  /**
   * @param {Session} session
   * @returns {number} a token, not yet accepted
   */
  sample(session) {
    return this.#wasm.check(this.#wasm.exports.itera_sampler_sample(this.#handle, session.handle))
  }

  /**
   * ln p of the token just sampled, before temperature and filters.
   *
   * @param {Session} session
   */
  logprob(session) {
    return this.#wasm.exports.itera_sampler_logprob(this.#handle, session.handle)
  }

  /**
   * The most probable tokens, before temperature and filters.
   *
   * @param {Session} session
   * @param {number} count
   * @returns {{ token: number, logprob: number }[]}
   */
  top(session, count) {
    const wasm = this.#wasm
    const tokens = wasm.staging(count * 8)
    const logprobs = tokens + count * 4
    const found = wasm.exports.itera_sampler_top(this.#handle, session.handle, count, tokens, logprobs)
    const ids = wasm.i32(tokens, found)
    const values = wasm.f32(logprobs, found)
    return Array.from(ids, (token, i) => ({ token, logprob: values[i] }))
  }

  /** The place in the random sequence, for going on with it later. @returns {Uint8Array} */
  get random() {
    const out = this.#wasm.staging(32)
    this.#wasm.exports.itera_sampler_get_random(this.#handle, out)
    return this.#wasm.u8(out, 32).slice()
  }

  set random(state) { this.#wasm.exports.itera_sampler_set_random(this.#handle, this.#wasm.stage(state)) }

  free() {
    if (this.#handle) this.#wasm.exports.itera_sampler_free(this.#handle)
    this.#handle = 0
    if (this.#mask) this.#wasm.free(this.#mask)
    this.#mask = 0
  }
}
