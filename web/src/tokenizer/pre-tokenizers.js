/**
 * Pre-tokenizers: how text is cut into words before the merges of BPE work inside each word.
 *
 * A scheme is a list of regular expressions. The first cuts the whole text, the next cuts every piece of that again,
 * and so on. A match is a piece, and so is the text between two matches. Each expression sees its piece alone, so
 * "not followed by" ends at the end of the piece.
 *
 * White space is Unicode's property White_Space everywhere. JavaScript's \s would differ from it at two characters:
 * it has U+FEFF (byte order mark) and lacks U+0085 (next line).
 */

const white = String.raw`\p{White_Space}`
const notWhite = String.raw`\P{White_Space}`

/** White space leaves its last character to the word that follows; without a word it stays whole. */
const spaces = `${white}+(?!${notWhite})|${white}+`

const contraction = "'s|'t|'re|'ve|'m|'ll|'d"
const anyCaseContraction = "'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]"

/** GPT-2: words, numbers and signs, each with one space before it. */
const gpt2 = String.raw`${contraction}| ?\p{L}+| ?\p{N}+| ?[^${white}\p{L}\p{N}]+|${spaces}`

/**
 * The family that began with cl100k: any one sign may lead a word, line ends stay together.
 * @param {string} number  how digits are grouped
 */
const modern = number =>
  String.raw`${anyCaseContraction}|[^\r\n\p{L}\p{N}]?\p{L}+|${number}` +
  String.raw`| ?[^${white}\p{L}\p{N}]+[\r\n]*|${white}*[\r\n]+|${spaces}`

/** As `modern`, with combining marks as parts of words. */
const modernWithMarks =
  String.raw`${anyCaseContraction}|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}` +
  String.raw`| ?[^${white}\p{L}\p{M}\p{N}]+[\r\n]*|${white}*[\r\n]+|${spaces}`

/**
 * The family that began with o200k: words also end where small letters turn into capitals. Only ASCII letters count
 * as small or capital here; any other letter may be either.
 * @param {string} number  how digits are grouped
 * @param {string} ending  what may follow a word within its piece
 */
const cased = (number, ending) => {
  const capital = String.raw`(?:(?![a-z])\p{L})`
  const small = String.raw`(?:(?![A-Z])\p{L})`
  const lead = String.raw`[^\r\n\p{L}\p{N}]?`
  return `${lead}${capital}*${small}+${ending}|${lead}${capital}+${small}*${ending}|${number}` +
    String.raw`| ?[^${white}\p{L}\p{N}]+[\r\n/]*|${white}*[\r\n]+|${spaces}`
}

const signs = String.raw`[\p{P}$+<=>^~|`

/** DeepSeek's blocks of CJK and neighbours, less the white space that lies within the first range. */
const cjk = String.raw`(?:(?!${white})[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff])+`

/** The cased letters that DeepSeek LLM's tokenizer lists, as ranges of code points. */
const deepseekLetters =
  'A-Za-z\\u00b5\\u00c0-\\u00d6\\u00d8-\\u00f6\\u00f8-\\u01ba\\u01bc-\\u01bf\\u01c4-\\u0293\\u0295-\\u02af' +
  '\\u0370-\\u0373\\u0376\\u0377\\u037b-\\u037d\\u037f\\u0386\\u0388-\\u038a\\u038c\\u038e-\\u03a1\\u03a3-\\u03f5' +
  '\\u03f7-\\u0481\\u048a-\\u052f\\u0531-\\u0556\\u10a0-\\u10c5\\u13a0-\\u13f5\\u13f8-\\u13fd\\u1c90-\\u1cba' +
  '\\u1cbd-\\u1cbf\\u1d00-\\u1d2b\\u1d6b-\\u1d77\\u1d79-\\u1d9a\\u1e00-\\u1f15\\u1f18-\\u1f1d\\u1f20-\\u1f45' +
  '\\u1f48-\\u1f4d\\u1f50-\\u1f57\\u1f59\\u1f5b\\u1f5d\\u1f5f-\\u1f7d\\u1f80-\\u1fb4\\u1fb6-\\u1fbc\\u1fbe' +
  '\\u1fc2-\\u1fc4\\u1fc6-\\u1fcc\\u1fd0-\\u1fd3\\u1fd6-\\u1fdb\\u1fe0-\\u1fec\\u1ff2-\\u1ff4\\u1ff6-\\u1ffc' +
  '\\u2102\\u2107\\u210a-\\u2113\\u2115\\u2119-\\u211d\\u2124\\u2126\\u2128\\u212a-\\u212d\\u212f-\\u2134\\u2139' +
  '\\u213c-\\u213f\\u2145-\\u2149\\u214e\\u2183\\u2184\\u2c00-\\u2c7b\\u2c7e-\\u2ce4\\u2ceb-\\u2cee\\u2cf2\\u2cf3' +
  '\\ua640-\\ua66d\\ua680-\\ua69b\\ua722-\\ua76f\\ua771-\\ua787\\ua78b-\\ua78e\\uab70-\\uabbf\\ufb00-\\ufb06' +
  '\\ufb13-\\ufb17\\uff21-\\uff3a\\uff41-\\uff5a\\u{10400}-\\u{1044f}\\u{104b0}-\\u{104d3}\\u{104d8}-\\u{104fb}' +
  '\\u{10c80}-\\u{10cb2}\\u{10cc0}-\\u{10cf2}\\u{118a0}-\\u{118df}\\u{1e900}-\\u{1e943}'

const deepseekSigns = String.raw`!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3001-\u3002`

/**
 * @typedef {object} Scheme
 * @property {string[]} names        what `tokenizer.ggml.pre` may say for it
 * @property {string[]} patterns     applied one after another
 * @property {boolean} [wholeWords]  a word that is a token itself is taken whole, whatever its merges say
 * @property {boolean} [addBos]      a text begins with BOS unless the file says otherwise
 */

/** @type {Scheme[]} */
const schemes = [
  {
    names: ['gpt-2', 'mpt', 'olmo', 'jais', 'phi-2', 'gigachat', 'a.x-4.0', 'mellum', 'exaone4', 'trillion',
      'granite-docling'],
    patterns: [gpt2],
  },
  {
    names: ['default', ''],
    patterns: [`${signs}]+`, gpt2, String.raw`\p{N}+`, '[0-9][0-9][0-9]'],
  },
  {
    names: ['falcon'],
    patterns: [`${signs}\`]+`, gpt2, '[0-9][0-9][0-9]'],
  },
  {
    names: ['starcoder', 'refact', 'command-r', 'smollm', 'codeshell', 'exaone', 'minerva-7b', 'mellum2'],
    patterns: [String.raw`\p{N}`, gpt2],
  },
  {
    names: ['llama-bpe', 'llama3', 'llama-v3', 'falcon3', 'falcon-h1', 'lfm2', 'pixtral', 'midm-2.0'],
    patterns: [modern(String.raw`\p{N}{1,3}`)],
    wholeWords: true,
    addBos: true,
  },
  {
    names: ['dbrx', 'smaug-bpe', 'glm4', 'chatglm-bpe'],
    patterns: [modern(String.raw`\p{N}{1,3}`)],
  },
  {
    names: ['qwen2', 'deepseek-r1-qwen', 'stablelm2', 'megrez', 'hunyuan', 'kormo', 'f2llmv2', 'solar-open', 'grok-2'],
    patterns: [modern(String.raw`\p{N}`)],
  },
  {
    names: ['qwen35'],
    patterns: [modernWithMarks],
  },
  {
    names: ['tekken'],
    patterns: [cased(String.raw`\p{N}`, '')],
    wholeWords: true,
    addBos: true,
  },
  {
    names: ['gpt-4o', 'llama4', 'kanana2', 'talkie', 'minimax-m2'],
    patterns: [cased(String.raw`\p{N}{1,3}`, `(?:${anyCaseContraction})?`)],
  },
  {
    names: ['deepseek-coder'],
    patterns: [String.raw`[\r\n]`, String.raw`${white}?\p{L}+`, String.raw`${white}?\p{P}+`, cjk, String.raw`\p{N}`],
  },
  {
    names: ['deepseek-llm'],
    patterns: [String.raw`[\r\n]`, `${white}?[${deepseekLetters}]+`, `${white}?[${deepseekSigns}]+`, `${white}+$`, cjk,
      String.raw`\p{N}+`],
  },
]

/** @type {Map<string, Scheme>} */
const schemeOfName = new Map(schemes.flatMap(scheme => scheme.names.map(name => [name, scheme])))

/** Every name that `createPreTokenizer` knows. */
export const preTokenizerNames = [...schemeOfName.keys()].filter(name => name !== '')

/**
 * @typedef {object} PreTokenizer
 * @property {(text: string) => string[]} split  pieces in order; joined they are the text
 * @property {boolean} wholeWords
 * @property {boolean} addBos
 */

/**
 * @param {string} name  the value of `tokenizer.ggml.pre`
 * @returns {PreTokenizer | null}  null for a name that is not supported
 */
export function createPreTokenizer(name) {
  const scheme = schemeOfName.get(name)
  if (!scheme) return null
  const expressions = scheme.patterns.map(pattern => new RegExp(pattern, 'gu'))
  return {
    split: text => expressions.reduce(splitPieces, text === '' ? [] : [text]),
    wholeWords: scheme.wholeWords ?? false,
    addBos: scheme.addBos ?? false,
  }
}

/**
 * Cuts every piece at the matches of one expression.
 * @param {string[]} pieces
 * @param {RegExp} expression  global
 */
function splitPieces(pieces, expression) {
  /** @type {string[]} */
  const cut = []
  for (const piece of pieces) {
    let end = 0
    expression.lastIndex = 0
    for (let match = expression.exec(piece); match !== null; match = expression.exec(piece)) {
      if (match.index > end) cut.push(piece.slice(end, match.index))
      cut.push(match[0])
      end = match.index + match[0].length
    }
    if (end < piece.length) cut.push(end === 0 ? piece : piece.slice(end))
  }
  return cut
}
