import { UsageError } from '../usage.js'

/**
 * The sizes of the seed model and of its Transformer baseline, in the words of a checkpoint's config.json.
 *
 * @typedef {object} SeedConfig
 * @property {'itera' | 'transformer'} kind
 * @property {string} name
 * @property {number} vocabulary       V
 * @property {number} width            D
 * @property {number} layers           L
 * @property {number} positions        P; 0: none
 * @property {number} feedForward      F, also of each expert
 * @property {number} normEpsilon
 * @property {number} inner            E  (itera)
 * @property {number} state            N  (itera)
 * @property {number} taps             K  (itera)
 * @property {number} experts          X  (itera)
 * @property {number} activeExperts    k  (itera)
 * @property {number[]} moeLayers      layers with experts (itera)
 * @property {number} heads            (transformer)
 */

/** V, D, L, N, X, F, k, P; expansion 2 and 4 taps throughout. */
const iteraPresets = {
  micro: [2000, 64, 3, 8, 4, 32, 2, 128],
  tiny: [8000, 128, 4, 8, 4, 64, 2, 256],
  small: [16000, 256, 6, 16, 8, 128, 2, 512],
  medium: [32000, 512, 8, 32, 16, 256, 2, 1024],
}

/** V, D, L, heads, F, P */
const transformerPresets = {
  'transformer-tiny': [8000, 128, 4, 4, 512, 256],
  'transformer-small': [16000, 256, 6, 4, 1024, 512],
}

export const presetNames = [...Object.keys(iteraPresets), ...Object.keys(transformerPresets)]

/** Experts sit on every second layer, beginning with the second. @param {number} layers */
export const oddLayers = layers => Array.from({ length: layers >> 1 }, (_, i) => 2 * i + 1)

/**
 * @param {string} name
 * @param {{ vocabulary?: number, positions?: number }} [overrides]
 * @returns {SeedConfig}
 */
export function presetConfig(name, { vocabulary, positions } = {}) {
  const none = { inner: 0, state: 0, taps: 0, experts: 0, activeExperts: 0, moeLayers: [], heads: 0 }
  if (Object.hasOwn(iteraPresets, name)) {
    const [V, D, L, N, X, F, k, P] = iteraPresets[/** @type {keyof typeof iteraPresets} */ (name)]
    return {
      ...none, kind: 'itera', name, vocabulary: vocabulary ?? V, width: D, layers: L, positions: positions ?? P,
      feedForward: F, normEpsilon: 1e-5, inner: 2 * D, state: N, taps: 4, experts: X, activeExperts: k,
      moeLayers: oddLayers(L),
    }
  }
  if (Object.hasOwn(transformerPresets, name)) {
    const [V, D, L, heads, F, P] = transformerPresets[/** @type {keyof typeof transformerPresets} */ (name)]
    return {
      ...none, kind: 'transformer', name, vocabulary: vocabulary ?? V, width: D, layers: L, positions: positions ?? P,
      feedForward: F, normEpsilon: 1e-5, heads,
    }
  }
  throw new UsageError(`there is no preset '${name}'; presets are ${presetNames.join(', ')}`)
}
