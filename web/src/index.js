/**
 * Itera-Lite: state-space language models in the browser and in Node.
 *
 * The public face of the package; types.d.ts is its documentation.
 */
import { cache } from './cache/manage.js'
import { Client } from './client.js'
import { completeTransfer } from './download/transfer.js'
import { compiledEngine } from './engine-module.js'
import { IteraError } from './errors.js'
import { chooseVariant, validates, variants } from './features.js'
import { Model } from './model.js'
import { givenOptions } from './options.js'
import { Event, Request } from './protocol.js'
import { checkSignal } from './signal.js'
import { describeSource } from './source.js'
import { checkThreads } from './threads.js'

export { IteraError } from './errors.js'

/** @type {typeof import('./bench.js').benchmark} */
export const benchmark = async (source, options) => (await import('./bench.js')).benchmark(source, options)

export const Itera = {
  /**
   * Loads a model into a worker of its own.
   *
   * @param {import('../types.d.ts').ModelSource} source
   * @param {import('../types.d.ts').LoadOptions} [options]
   * @returns {Promise<Model>}
   */
  async load(source, options) {
    const { onProgress, signal, simd = 'auto', threads = 'auto', grammarLibrary, ...transfer } = givenOptions(options)
    checkSignal(signal)
    const description = describeSource(source, completeTransfer(transfer))
    const variant = chooseVariant(simd)                 // a build that cannot run is reported before anything starts
    checkThreads(threads)
    if (signal?.aborted) throw new IteraError('aborted', 'loading was aborted')
    const engine = compiledEngine(variant)              // while the worker starts
    engine.catch(() => {})                              // reported below, unless the worker fails first
    const client = await Client.start()
    try {
      const compiled = await engine
      const info = await client.call(Request.load, { source: description, simd: variant, compiled, threads }, {
        signal,
        onEvent: (event, data) => {
          if (event === Event.progress) onProgress?.(data)
          if (event === Event.helper) void client.startHelper(data)
        },
      })
      return new Model(client, info, { grammarLibrary })
    } catch (error) {
      client.dispose()
      throw error
    }
  },

  /**
   * Downloads a model into the cache, without loading it.
   *
   * @param {string | URL} source
   * @param {import('../types.d.ts').DownloadOptions} [options]
   * @returns {Promise<import('../types.d.ts').CachedModel>}
   */
  async download(source, options) {
    const { onProgress, signal, ...transfer } = givenOptions(options)
    checkSignal(signal)
    const description = describeSource(source, completeTransfer(transfer))
    const client = await Client.start()
    try {
      return await client.call(Request.download, { source: description }, {
        signal,
        onEvent: (event, data) => { if (event === Event.progress) onProgress?.(data) },
      })
    } finally {
      client.dispose()
    }
  },

  /** The downloads that are kept. */
  cache,

  /**
   * The builds of the engine that can run here, from the slowest to the fastest.
   *
   * @returns {import('../types.d.ts').SimdVariant[]}
   */
  supportedSimd() { return variants.filter(validates) },
}
