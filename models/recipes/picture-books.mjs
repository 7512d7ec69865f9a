// Picture-book texts as one file a source: the stories of a .jsonl.gz on standard input, documents on standard output.
//
//     zcat stories.jsonl.gz | node models/recipes/picture-books.mjs > stories.txt
import { readFileSync } from 'node:fs'

const stories = readFileSync(0, 'utf8').trim().split('\n').map(line => JSON.parse(line).text.trim())
process.stdout.write(`${stories.join('\n<|endoftext|>\n')}\n`)
