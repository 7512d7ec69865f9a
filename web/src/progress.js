/**
 * Progress for people: what was read, with what its source knows beside it.
 *
 * @typedef {import('../types.d.ts').Progress} Progress
 * @typedef {import('./download/url.js').State} State
 */

/** More often than this nobody can look; a fast disk would otherwise post thousands of messages. */
const LEAST_MS = 50

/**
 * Passes on the first and the last (where loaded equals total), every change of status, and between them the latest once
 * in a while.
 *
 * @param {(progress: Progress) => void} report
 * @returns {{ read: (progress: Progress) => void, state: (state: State) => void }}
 *   read: what was taken from the source; state: how the source is
 */
export function progressReport(report) {
  /** @type {Progress} */
  let read = { loaded: 0, total: undefined }
  /** @type {State | undefined} */
  let state
  let last = -Infinity
  let told = ''
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let later
  const pass = () => {
    const progress = state
      ? { ...state, loaded: Math.max(state.loaded, read.loaded), total: state.total ?? read.total }
      : read
    const now = performance.now()
    const news = `${progress.status}${progress.cacheError}`
    if (now - last < LEAST_MS && progress.loaded !== progress.total && news === told) {
      // What is not told now is told later, should nothing more come.
      later ??= setTimeout(() => {
        last = -Infinity
        pass()
      }, LEAST_MS)
      return
    }
    clearTimeout(later)
    later = undefined
    last = now
    told = news
    report(progress)
  }
  return {
    read(progress) {
      read = progress
      pass()
    },
    state(now) {
      // Begun anew, what was read before does not count.
      if (now.loaded < (state?.loaded ?? 0)) read = { loaded: 0, total: undefined }
      state = { ...now }
      pass()
    },
  }
}
