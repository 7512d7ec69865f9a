/**
 * A look inside the model: what the pass before a token did in each layer. Asked for with the option `trace`; without
 * it nothing is recorded.
 *
 * @typedef {import('./wasm.js').Wasm} Wasm
 * @typedef {import('./session.js').Session} Session
 * @typedef {import('../types.d.ts').Trace} Trace
 *
 * @typedef {{ layer: number, experts: number, used: number, stateBytes: number }} TraceBlock
 */

/**
 * What there is to see, block by block.
 *
 * @param {Wasm} wasm
 * @param {number} model
 * @returns {TraceBlock[]}
 */
export function traceBlocks(wasm, model) {
  const count = wasm.exports.itera_model_trace_blocks(model)
  return Array.from({ length: count }, (_, i) => {
    const [layer, experts, used, stateBytes] = [0, 1, 2, 3].map(which =>
      wasm.exports.itera_model_trace_block(model, i, which))
    return { layer, experts, used, stateBytes }
  })
}

/**
 * @param {TraceBlock[]} blocks
 * @param {Float32Array} values  as the core leaves them: a norm for every block, then its choices
 * @returns {Trace}
 */
export function traceOf(blocks, values) {
  /** @type {Trace} */
  const trace = { experts: [], states: [] }
  let at = 0
  for (const { layer, experts, used, stateBytes } of blocks) {
    const norm = values[at++]
    if (stateBytes) trace.states.push({ layer, norm })
    if (!used) continue
    const chosen = []
    const gates = []
    for (let i = 0; i < used; i++) {
      chosen.push(values[at++])
      gates.push(values[at++])
    }
    trace.experts.push({ layer, of: experts, chosen, gates })
  }
  return trace
}

/**
 * How many values the core leaves for these blocks.
 *
 * @param {TraceBlock[]} blocks
 */
export const traceLength = blocks => blocks.reduce((sum, { used }) => sum + 1 + 2 * used, 0)
