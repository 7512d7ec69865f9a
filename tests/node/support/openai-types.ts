// Checked, never run: answers of model.openai where types of the `openai` package are asked for, and code written for
// its client.
import type OpenAI from 'openai'
import { Itera } from 'itera-lite'
import type { ChatCompletionMessageParam, Model, OpenAIFacade } from 'itera-lite'

const model: Model = await Itera.load('story.gguf')
const messages: ChatCompletionMessageParam[] = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: [{ type: 'text', text: 'A fox?' }] },
]

const whole = await model.openai.chat.completions.create({
  model: 'any', messages, temperature: 0, max_completion_tokens: 9, logprobs: true, top_logprobs: 2, stop: ['\n'], seed: 1,
  response_format: { type: 'json_schema', json_schema: { name: 'fox', schema: { type: 'object' }, strict: true } },
  tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'object' } } }], tool_choice: 'auto',
}, { signal: new AbortController().signal })
export const asTheirs: OpenAI.Chat.ChatCompletion = whole
export const answer: string | null = whole.choices[0].message.content
messages.push(whole.choices[0].message, { role: 'tool', tool_call_id: 'x', content: 'sun' })
export const cached: number = whole.usage.prompt_tokens_details.cached_tokens

const stream = await model.openai.chat.completions.create({ messages, stream: true, stream_options: { include_usage: true } })
for await (const chunk of stream) {
  const theirs: OpenAI.Chat.ChatCompletionChunk = chunk
  console.log(chunk.choices[0]?.delta?.content ?? '', theirs.id)
}
stream.controller.abort()

export const text: OpenAI.Completion = await model.openai.completions.create({ prompt: [1, 2], regex: 'a+', top_k: 5 })
for await (const chunk of await model.openai.completions.create({ prompt: 'x', stream: true })) console.log(chunk.choices[0].text)

// One function for the client over HTTP and for the model in the page.
export async function ask(api: Pick<OpenAI, 'chat'> | OpenAIFacade, question: string) {
  const create = api.chat.completions.create as OpenAIFacade['chat']['completions']['create']
  return (await create({ model: 'any', messages: [{ role: 'user', content: question }] })).choices[0].message.content
}

// @ts-expect-error messages are missing
void model.openai.chat.completions.create({ stream: true })
// @ts-expect-error an image is not supported
void model.openai.chat.completions.create({ messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'x' } }] }] })
// @ts-expect-error a whole answer has no chunks
for await (const chunk of whole) console.log(chunk)
