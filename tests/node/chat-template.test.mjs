import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { describe, it } from 'node:test'
import { createChatTemplate, hasChatTemplate } from '../../web/src/chat-template.js'
import { loadTemplateEngine } from '../../web/src/template-engine.js'
import { createTokenizer } from '../../web/src/tokenizer.js'
import { strftime } from '../../web/src/strftime.js'
import { goldenMetadata } from './support/golden-tokenizer.mjs'

const engine = new URL('../../web/dist/jinja.js', import.meta.url)
const skip = existsSync(engine) ? false : 'web/dist/jinja.js is not built: run "make build"'
const jinja = skip ? undefined : await loadTemplateEngine()

const tokenizer = createTokenizer(goldenMetadata())
const withTemplate = source => goldenMetadata({ 'tokenizer.chat_template': source })
const make = source => createChatTemplate(withTemplate(source), tokenizer, jinja)
const conversation = [
  { role: 'system', content: 'You tell stories.' },
  { role: 'user', content: 'One about a fox.' },
  { role: 'assistant', content: 'Once upon a time' },
  { role: 'user', content: 'Go on.' },
]

const chatml = `{% for message in messages %}
{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}
{%- endfor %}
{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}`

const zephyr = `{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>\n' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>\n' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{{ '<|assistant|>\n' + message['content'] + eos_token }}
{% else %}
{{ raise_exception('no role ' + message.role) }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}`

/** In the manner of Granite 4: roles in brackets of their own, tools as JSON lines, a system message of its own making. */
const granite = `{%- set ns = namespace(system='', first=0) %}
{%- if messages[0].role == 'system' %}
    {%- set ns.system = messages[0].content %}
    {%- set ns.first = 1 %}
{%- elif tools %}
    {%- set ns.system = 'You may call functions.' %}
{%- endif %}
{%- if ns.system %}
    {{- '<|start_of_role|>system<|end_of_role|>' + ns.system }}
    {%- if tools %}
        {{- '\n<tools>' }}
        {%- for tool in tools %}
            {{- '\n' + tool | tojson }}
        {%- endfor %}
        {{- '\n</tools>' }}
    {%- endif %}
    {{- '<|end_of_text|>\n' }}
{%- endif %}
{%- for message in messages[ns.first:] %}
    {%- if message.content is string %}
        {%- set text = message.content %}
    {%- else %}
        {%- set parts = namespace(text='') %}
        {%- for part in message.content if part.type == 'text' %}
            {%- set parts.text = parts.text ~ part.text %}
        {%- endfor %}
        {%- set text = parts.text %}
    {%- endif %}
    {{- '<|start_of_role|>' + message.role + '<|end_of_role|>' + text | trim }}
    {%- if message.tool_calls is defined %}
        {%- for call in message.tool_calls %}
            {%- set shown = {'name': call.function.name, 'arguments': call.function.arguments} %}
            {{- '<tool_call>' + shown | tojson + '</tool_call>' }}
        {%- endfor %}
    {%- endif %}
    {{- '<|end_of_text|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_of_role|>assistant<|end_of_role|>' }}
{%- endif %}`

describe('chat template', { skip }, () => {
  it('is looked for in the header', () => {
    assert.equal(hasChatTemplate(goldenMetadata()), false)
    assert.equal(hasChatTemplate(withTemplate('')), false)
    assert.equal(hasChatTemplate(withTemplate(chatml)), true)
  })

  it('renders in the manner of ChatML', () => {
    assert.equal(make(chatml).render(conversation),
      '<|im_start|>system\nYou tell stories.<|im_end|>\n<|im_start|>user\nOne about a fox.<|im_end|>\n' +
      '<|im_start|>assistant\nOnce upon a time<|im_end|>\n<|im_start|>user\nGo on.<|im_end|>\n<|im_start|>assistant\n')
  })

  it('ends without the opening of an answer when told so', () => {
    assert.equal(make(chatml).render(conversation.slice(1, 2), { addGenerationPrompt: false }),
      '<|im_start|>user\nOne about a fox.<|im_end|>\n')
  })

  it('renders in the manner of Zephyr, with EOS of this vocabulary and lines of blocks removed', () => {
    assert.equal(make(zephyr).render(conversation),
      '<|system|>\nYou tell stories.<|endoftext|>\n<|user|>\nOne about a fox.<|endoftext|>\n' +
      '<|assistant|>\nOnce upon a time<|endoftext|>\n<|user|>\nGo on.<|endoftext|>\n<|assistant|>\n')
  })

  it('renders in the manner of Granite 4', () => {
    const render = make(granite).render
    assert.equal(render(conversation.slice(0, 2)),
      '<|start_of_role|>system<|end_of_role|>You tell stories.<|end_of_text|>\n' +
      '<|start_of_role|>user<|end_of_role|>One about a fox.<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>')
    const content = [{ type: 'text', text: ' a' }, { type: 'image' }, { type: 'text', text: 'b ' }]
    assert.equal(render([{ role: 'user', content }], { addGenerationPrompt: false }),
      '<|start_of_role|>user<|end_of_role|>ab<|end_of_text|>\n')
  })

  it('shows tools and tool calls to the model', () => {
    const messages = [
      { role: 'user', content: 'How warm is it?' },
      { role: 'assistant', content: '', tool_calls: [{ function: { name: 'weather', arguments: { town: 'Köln' } } }] },
    ]
    assert.equal(make(granite).render(messages, { tools: [{ name: 'weather' }] }),
      '<|start_of_role|>system<|end_of_role|>You may call functions.\n<tools>\n{"name": "weather"}\n</tools>' +
      '<|end_of_text|>\n' +
      '<|start_of_role|>user<|end_of_role|>How warm is it?<|end_of_text|>\n' +
      '<|start_of_role|>assistant<|end_of_role|>' +
      '<tool_call>{"name": "weather", "arguments": {"town": "Köln"}}</tool_call><|end_of_text|>\n' +
      '<|start_of_role|>assistant<|end_of_role|>')
  })

  it('uses the second template of a file for tools', () => {
    const template = createChatTemplate(goldenMetadata({
      'tokenizer.chat_template': 'plain', 'tokenizer.chat_template.tool_use': '{{ tools[0].name }}' }), tokenizer, jinja)
    assert.equal(template.render(conversation), 'plain')
    assert.equal(template.render(conversation, { tools: [{ name: 'weather' }] }), 'weather')
  })

  it('knows the names that templates expect', () => {
    const messages = conversation.slice(0, 1)
    assert.equal(make('{{ bos_token }}|{{ eos_token }}|{{ unk_token }}').render(messages),
      '<|endoftext|>|<|endoftext|>|<|endoftext|>')
    assert.equal(make('{{ tools is none }} {{ tools is defined }} {{ documents is none }} {{ True }} {{ none is none }}').render(messages),
      'true true true true true')
    assert.equal(make("{{ strftime_now('%Y') }}").render(messages), String(new Date().getFullYear()))
    assert.equal(make('{% for i in range(2, 8, 3) %}{{ i }},{% endfor %}{{ range(3) | length }}').render(messages), '2,5,3')
    assert.equal(make('{{ enable_thinking }}').render(messages, { variables: { enable_thinking: false } }), 'false')
  })

  it('renders a conversation of thousands of messages', () => {
    const content = 'word '.repeat(200)
    const long = Array.from({ length: 5000 }, (_, i) => ({ role: i % 2 ? 'assistant' : 'user', content }))
    for (const source of [chatml, zephyr, granite]) assert.ok(make(source).render(long).length > 4_900_000)
  })

  it('renders the same again and again', () => {
    const template = make(zephyr)
    assert.equal(template.render(conversation), template.render(conversation))
  })
})

describe('a chat template that fails', { skip }, () => {
  const rejects = (use, message, code = 'template') => assert.throws(use, { name: 'IteraError', code, message })
  const messages = [{ role: 'user', content: 'x' }]

  it('says what the template says', () => {
    rejects(() => make(zephyr).render([{ role: 'robot', content: 'x' }]), /no role robot/)
  })

  it('because it is not Jinja fails where it is used, not where the file is opened', () => {
    for (const [source, message] of [['{% for %}', /cannot be read/], ['{{ "open }}', /cannot be read/], [12, /not a text/]]) {
      const template = make(source)
      rejects(() => template.render(messages), message)
    }
  })

  it('because it asks for what is not there names it', () => {
    rejects(() => make('{{ no_such_function() }}').render(messages), /failed/)
  })

  it('because it is too long is not read', () => {
    rejects(() => make('x'.repeat(300_000)).render(messages), /300000 characters/)
  })

  it('because it never ends, or grows without end, stops in time', () => {
    const hostile = {
      'loops in loops': '{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}x' +
        '{% endfor %}{% endfor %}{% endfor %}',
      'empty loops in loops': '{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}',
      'a loop over one list again and again':
        '{% set l = range(9999) %}{% for a in l %}{% for b in l %}{% endfor %}{% endfor %}',
      'a huge range': '{{ range(99999999999) }}',
      'text that doubles':
        '{% set n = namespace(s="xxxxxxxx") %}{% for a in range(99) %}{% set n.s = n.s + n.s %}{% endfor %}{{ n.s }}',
      'a list that doubles':
        '{% set n = namespace(l=[1, 2]) %}{% for a in range(99) %}{% set n.l = n.l + n.l %}{% endfor %}',
      'endless recursion': '{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}',
      'growing replacement': '{% set n = namespace(s="aaaaaaaa") %}{% for a in range(9) %}' +
        '{% set n.s = n.s | replace("a", n.s) %}{% endfor %}',
    }
    for (const [what, source] of Object.entries(hostile)) {
      const start = performance.now()
      assert.throws(() => make(source).render(messages), { name: 'IteraError', code: 'template' }, what)
      assert.ok(performance.now() - start < 10_000, `${what} took ${performance.now() - start} ms`)
    }
  })

  it('because nested too deeply to read is an error like any other', () => {
    rejects(() => make('{{ ' + '('.repeat(100_000) + '1' + ')'.repeat(100_000) + ' }}').render(messages), /./)
  })

  it('cannot reach out of its messages', () => {
    for (const source of ['{{ messages.constructor }}', '{{ "".constructor.constructor("return 1")() }}',
      '{{ globalThis }}', '{{ process }}', '{{ messages.__proto__ }}']) {
      let text = ''
      try { text = make(source).render(messages) } catch (error) { assert.equal(error.code, 'template') }
      assert.doesNotMatch(text, /function|native|object|\[object/, source)
    }
  })

  it('because the messages are none is the caller’s error', () => {
    rejects(() => make(chatml).render('hello'), /array/, 'argument')
    rejects(() => make(chatml).render([{ content: 'x' }]), /message 0/, 'argument')
  })
})

describe('strftime', () => {
  it('writes what C writes', () => {
    const date = new Date(2024, 1, 3, 4, 5, 6)
    assert.equal(strftime(date, '%d %B %Y, %A'), '03 February 2024, Saturday')
    assert.equal(strftime(date, '%-d/%-m/%y %b %a %e|%j|%H:%M:%S %I%p %% %F %T'),
      '3/2/24 Feb Sat  3|034|04:05:06 04AM % 2024-02-03 04:05:06')
    assert.equal(strftime(new Date(2024, 11, 31, 12, 0), '%I %p %j'), '12 PM 366')
    assert.equal(strftime(date, '100% %q'), '100% %q')
  })
})
