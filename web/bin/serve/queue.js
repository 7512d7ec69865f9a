import { HttpError } from './errors.js'

/**
 * Who may work now. So many requests at once share the engine, token by token; the others wait. Those who wait take
 * turns by client, so that one with a hundred requests does not keep another with one waiting.
 *
 * @typedef {object} Waiting
 * @property {() => void} admit
 * @property {(error: Error) => void} refuse
 */
export class Queue {
  /**
   * Clients in the order of their next turn, each with its requests in the order they came.
   *
   * @type {Map<string, Waiting[]>}
   */
  #clients = new Map()
  #running = 0
  #closed = false

  /** @param {{ slots: number, limit: number }} options  requests at work, and waiting, at most */
  constructor({ slots, limit }) {
    this.slots = slots
    this.limit = limit
  }

  get running() { return this.#running }

  get waiting() {
    let count = 0
    for (const requests of this.#clients.values()) count += requests.length
    return count
  }

  /**
   * @param {string} client
   * @param {AbortSignal} signal  gives up waiting
   * @returns {Promise<() => void>} to be called once, when the work is done
   */
  async enter(client, signal) {
    if (this.#closed) throw closing()
    if (this.#running >= this.slots) {
      if (this.waiting >= this.limit) {
        throw new HttpError(503, 'overloaded', `${this.limit} requests are waiting already`,
          { headers: { 'retry-after': '2' } })
      }
      await this.#wait(client, signal)
    } else this.#running++
    let done = false
    return () => {
      if (done) return
      done = true
      this.#leave()
    }
  }

  /** Refuses those who wait and all who come. */
  close() {
    this.#closed = true
    for (const requests of this.#clients.values()) for (const { refuse } of requests) refuse(closing())
    this.#clients.clear()
  }

  /** @param {string} client @param {AbortSignal} signal @returns {Promise<void>} */
  #wait(client, signal) {
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        this.#remove(client, waiting)
        reject(new HttpError(499, 'aborted', 'the client left'))
      }
      const waiting = {
        admit: () => {
          signal.removeEventListener('abort', giveUp)
          resolve()
        },
        refuse: reject,
      }
      if (signal.aborted) return reject(new HttpError(499, 'aborted', 'the client left'))
      signal.addEventListener('abort', giveUp, { once: true })
      const requests = this.#clients.get(client)
      if (requests) requests.push(waiting)
      else this.#clients.set(client, [waiting])
    })
  }

  /** @param {string} client @param {Waiting} waiting */
  #remove(client, waiting) {
    const requests = this.#clients.get(client)?.filter(request => request !== waiting) ?? []
    if (requests.length) this.#clients.set(client, requests)
    else this.#clients.delete(client)
  }

  /** The slot goes to the next client's first request. */
  #leave() {
    const [turn] = this.#clients
    if (!turn) {
      this.#running--
      return
    }
    const [client, [next, ...others]] = turn
    this.#clients.delete(client)
    if (others.length) this.#clients.set(client, others)
    next.admit()
  }
}

const closing = () => new HttpError(503, 'shutting_down', 'the server is shutting down')
