// What the page says about a loaded model, drawn from model.info.
import * as format from './format.js'

/**
 * @typedef {object} Facts
 * @property {string} name
 * @property {string} simd
 * @property {number} threads
 * @property {number} weightBytes
 * @property {number} stateBytes   memory of one conversation, whatever its length
 * @property {number} kvBytesPerToken   what attention layers add to it; 0 for pure state-space models
 * @property {boolean} chat        has a chat template
 * @property {[string, string][]} rows   label and value
 */

const FAMILY = /** @type {Record<string, string>} */ ({
  'itera-lite': 'Itera-Lite', mamba: 'Mamba', mamba2: 'Mamba-2', granitehybrid: 'Granite hybrid',
})

/**
 * @param {any} info   model.info
 * @param {{ name?: string, bytes?: number }} source
 * @returns {Facts}
 */
export function factsOf(info, source) {
  const { parameters, contextLength, kvBytesPerToken } = info
  const sparse = parameters.active < parameters.total * 0.98
  const family = FAMILY[info.architecture] ?? info.architecture
  return {
    name: source.name || info.name || 'Unnamed model',
    simd: info.simd,
    threads: info.threads,
    weightBytes: info.weightBytes,
    stateBytes: info.stateBytes,
    kvBytesPerToken,
    chat: info.hasChatTemplate,
    rows: [
      ['Size', `${format.bytes(info.fileBytes)}, ${format.count(parameters.total)} parameters`],
      ...row(sparse, 'Active', `${format.count(parameters.active)} parameters per token`),
      ['Built as', `${family}, ${format.plural(info.layers, 'layer')}`],
      ['Memory', kvBytesPerToken ? `grows ${format.bytes(kvBytesPerToken)} per token` : 'never grows with the text'],
      ...row(contextLength > 0, 'Text', `up to ${format.plural(contextLength, 'token')}`),
    ],
  }
}

/** A row that some models have. @param {boolean} there @param {string} label @param {string} value */
const row = (there, label, value) => (there ? [/** @type {[string, string]} */ ([label, value])] : [])
