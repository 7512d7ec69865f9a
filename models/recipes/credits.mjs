// models/CREDITS.md: who wrote the picture books that the models learnt from, as their licence asks.
//
//     node models/recipes/credits.mjs
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'

const sources = [
  { folder: 'pratham-books', name: "Pratham Books' StoryWeaver", home: 'https://storyweaver.org.in' },
  { folder: 'african-storybook', name: 'African Storybook', home: 'https://www.africanstorybook.org' },
]
const here = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url))

const parts = sources.map(({ folder, name, home }) => {
  const rows = gunzipSync(readFileSync(here(`../../../shared/data/${folder}/stories.jsonl.gz`))).toString().trim().split('\n').map(row => JSON.parse(row))
  /** @type {Map<string, string[]>} */
  const titles = new Map()
  for (const { author, title } of rows) titles.set(author.trim(), [...titles.get(author.trim()) ?? [], title.trim()])
  const lines = [...titles].sort(([a], [b]) => a.localeCompare(b, 'en')).map(([author, written]) => `- ${author}: ${written.join('; ')}`)
  return `## ${name}\n\n${rows.length} texts from <${home}>, CC BY 4.0 unless their page says public domain; the texts without their pictures, as they are there.\n\n${lines.join('\n')}`
})

writeFileSync(here('../CREDITS.md'), `# Credits

Whose texts the models of this folder learnt from. No model holds them, and none of these people has endorsed what a model writes.

- TinyStories, by Ronen Eldan and Yuanzhi Li: excerpts, CDLA-Sharing-1.0
- FairytaleQA, by Ying Xu and others: fairy tales, Apache-2.0
- children's books of Project Gutenberg (public domain) and Standard Ebooks (CC0)
- Self-dialogue Corpus, by Joachim Fainberg and others: BSD-3-Clause
- Synthetic-Persona-Chat, by Pegah Jandaghi and others, and Taskmaster 4, both of Google Research: CC BY 4.0
- Topical-Chat, by Karthik Gopalakrishnan and others, of Amazon: CDLA-Sharing-1.0
- chit-chat of Microsoft's Bot Framework: MIT
- ChatterBot Language Training Corpus, by Gunther Cox: BSD-3-Clause
- databricks-dolly-15k, by Databricks: short answers, CC BY-SA 3.0
- OpenTriviaQA: CC BY-SA 4.0

${parts.join('\n\n')}
`)
