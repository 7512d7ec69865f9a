import { HttpError } from './errors.js'

/** @typedef {import('../../src/model.js').Model} Model */

/** The model of a server, loaded again when its worker is lost. */
export class ModelHolder {
  /** @type {Model | null} */
  #model
  #load
  #print
  #disposed = false

  /**
   * @param {Model} model
   * @param {() => Promise<Model>} load
   * @param {(line: string) => void} print
   */
  constructor(model, load, print) {
    this.#model = model
    this.#load = load
    this.#print = print
  }

  /** @param {() => Promise<Model>} load @param {(line: string) => void} print */
  static async load(load, print) {
    return new ModelHolder(await load(), load, print)
  }

  get ready() { return this.#model !== null }

  get model() {
    if (this.#model) return this.#model
    throw new HttpError(503, 'loading', 'the model is being loaded', { headers: { 'retry-after': '2' } })
  }

  /** Asks the model whether it still lives. Where it cannot be loaded again, that is tried anew the next time. */
  async check() {
    const model = this.#model
    try {
      if (model) await model.memoryBytes()
      else if (!this.#loading) await this.#revive()
    } catch {
      // Whatever the call died of: it is the model that says whether it was the last one.
      const lost = model?.error
      if (!lost || lost.code === 'disposed' || this.#model !== model) return
      this.#model = null
      this.#print(`${lost.message}; loading the model again`)
      await this.#revive()
    }
  }

  #loading = false

  async #revive() {
    this.#loading = true
    try {
      const model = await this.#load()
      if (this.#disposed) model.dispose()
      else this.#model = model
    } catch (error) {
      this.#print(/** @type {Error} */ (error).message)
    } finally {
      this.#loading = false
    }
  }

  dispose() {
    this.#disposed = true
    this.#model?.dispose()
  }
}
