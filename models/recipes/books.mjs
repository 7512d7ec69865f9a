// Books as documents of a page or two, cut between paragraphs: readable text in on standard input or as files (.gz is
// unpacked), documents on standard output.
//
//     node models/recipes/books.mjs FILE... > books.txt
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'

const PAGE = 3000 // characters after which a document ends with its paragraph

const documents = []
for (const path of process.argv.slice(2)) {
  const bytes = readFileSync(path)
  const text = (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8')
  let page = ''
  for (const paragraph of text.split(/\n\s*\n/).slice(2)) { // title and author
    const line = paragraph.replaceAll('--', ' - ').replace(/\s+/g, ' ').replace(/[“”]/g, '"').replace(/[‘’]/g, "'").trim()
    // No contents, headings or notes of the publisher.
    if (line.length < 40 || /gutenberg|copyright|contents/i.test(line) || !/[a-z]{3}/.test(line)) continue
    page += `${line}\n`
    if (page.length >= PAGE) {
      documents.push(page.trim())
      page = ''
    }
  }
  if (page) documents.push(page.trim())
}
process.stdout.write(`${documents.join('\n<|endoftext|>\n')}\n`)
