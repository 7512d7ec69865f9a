// What went wrong, in plain words, and what to do about it: one entry for each code the package may give.

/** @typedef {{ title: string, advice: string, retry?: boolean }} Words */

/** @type {Record<string, Words>} */
const WORDS = {
  'not-gguf': {
    title: 'This is not a GGUF file',
    advice: 'The page reads models saved as .gguf. A web page saved under that name is the usual reason: ' +
      'download the file itself, then open it again.',
  },
  corrupt: {
    title: 'This model file is damaged',
    advice: 'Something in it contradicts itself, so it was not loaded. Download it again and compare its size ' +
      'with the one its publisher gives.',
    retry: true,
  },
  incomplete: {
    title: 'Part of this model is missing',
    advice: 'The file ends too early, as after a download that broke off, or it is one piece of a split model. ' +
      'Fetch the whole file again.',
    retry: true,
  },
  unsupported: {
    title: 'This model is of a kind the page cannot run',
    advice: 'It runs Mamba, Mamba-2, Granite hybrid and Itera-Lite models in F32, F16, BF16, Q8_0, Q4_0 to Q5_1 ' +
      'and Q4_K to Q6_K. The detail below names what is missing.',
  },
  'no-tokenizer': {
    title: 'This model has no vocabulary the page can read',
    advice: 'The file holds the model but not its words, or splits text in a way that is not supported yet. ' +
      'Choose another file of the same model.',
  },
  memory: {
    title: 'There is not enough memory for this',
    advice: 'Close other tabs, or choose a smaller model or a smaller quantization such as Q4_K_M.',
    retry: true,
  },
  busy: {
    title: 'The last answer is still being written',
    advice: 'Wait for its end, or press Stop.',
  },
  'context-full': {
    title: 'The text is as long as this model can follow',
    advice: 'It was made for texts up to this length. Start a new text, or shorten this one, and go on.',
  },
  token: {
    title: 'The text could not be given to this model',
    advice: 'It holds something outside the vocabulary of the model. Change the text, or choose another model.',
  },
  argument: {
    title: 'One of the settings is out of range',
    advice: 'Press Reset beside Sampling and try again.',
  },
  snapshot: {
    title: 'This saved conversation does not fit',
    advice: 'It was made with another model, or is damaged. Choose the model that it was made with and import it ' +
      'again, or export its messages instead of its memory.',
  },
  network: {
    title: 'The model could not be fetched',
    advice: 'Check the connection and the address. The other site must also allow pages to read its files (CORS); ' +
      'if it does not, download the file and open it from this device.',
    retry: true,
  },
  'not-found': {
    title: 'There is nothing at that address',
    advice: 'The server has no such file. Check the address for a slip; a link to a page about the file is not ' +
      'the file itself.',
    retry: true,
  },
  changed: {
    title: 'The model changed while it was being fetched',
    advice: 'The server gave parts of different files. Wait until its publisher is done, then try again.',
    retry: true,
  },
  quota: {
    title: 'There is no room left to keep this model',
    advice: 'Free some space on the device, or delete models that you no longer need under Models.',
    retry: true,
  },
  storage: {
    title: 'This browser lets the page keep nothing',
    advice: 'A private window or its settings for site data forbid it. Allow site data for this page, or go on without: ' +
      'models are then fetched each time.',
    retry: true,
  },
  unreadable: {
    title: 'The file could not be read',
    advice: 'The device refused: the file may have been moved, changed or unplugged since you chose it. ' +
      'Choose it again.',
  },
  template: {
    title: 'The chat format of this model could not be used',
    advice: 'The template inside the file failed. Another file of the same model may have a working one.',
  },
  'no-grammar': {
    title: 'Answers of a fixed form need a library that is not here',
    advice: 'Ask for a plain answer instead.',
  },
  simd: {
    title: 'This browser cannot run that SIMD variant',
    advice: 'Set SIMD variant to Auto: the page then takes the fastest one that works here.',
  },
  worker: {
    title: 'The model stopped unexpectedly',
    advice: 'Its worker ended, most often for want of memory. What you wrote is still here; load the model again.',
    retry: true,
  },
  import: {
    title: 'This file holds no conversation',
    advice: 'The page imports what it exported: a .json file of messages, or an .itera file with the memory of a ' +
      'conversation.',
  },
  page: {
    title: 'Something on this page went wrong',
    advice: 'What you wrote is still here. Try again; reload the page if it happens twice.',
    retry: true,
  },
}

/** Codes that say the same thing to a reader. */
const SAME = /** @type {Record<string, string>} */ ({
  crashed: 'worker', disposed: 'worker', internal: 'page', grammar: 'no-grammar',
})

/**
 * @param {any} error
 * @param {{ simd?: string }} [asked] what the page had asked for, where that tells one cause from another
 * @returns {Words & { code: string, detail: string }}
 */
export function explain(error, { simd = 'auto' } = {}) {
  const given = typeof error?.code === 'string' ? error.code : ''
  // The package has one code for all it cannot do; a variant that was asked for by name is told apart here.
  if (given === 'unsupported' && simd !== 'auto' && /WebAssembly/.test(error.message)) {
    return explain({ code: 'simd', message: error.message })
  }
  const code = WORDS[given] ? given : SAME[given] ?? (error?.name === 'RangeError' ? 'memory' : 'page')
  const detail = [error?.message ?? String(error), given && `(${given})`].filter(Boolean).join(' ')
  return { ...WORDS[code], code: given || code, detail }
}

/** @param {any} error true for what the reader asked for by pressing Stop or Cancel */
export const isAbort = (error) => error?.code === 'aborted' || error?.name === 'AbortError'
