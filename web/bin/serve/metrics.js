/**
 * Figures for Prometheus, in its text format.
 *
 * @typedef {'counter' | 'gauge'} Kind
 */

/** Seconds. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

class Histogram {
  #counts = BUCKETS.map(() => 0)
  #count = 0
  #sum = 0

  /** @param {number} seconds */
  observe(seconds) {
    this.#count++
    this.#sum += seconds
    BUCKETS.forEach((bound, i) => { if (seconds <= bound) this.#counts[i]++ })
  }

  /** @param {string} name @returns {string[]} */
  lines(name) {
    return [
      ...BUCKETS.map((bound, i) => `${name}_bucket{le="${bound}"} ${this.#counts[i]}`),
      `${name}_bucket{le="+Inf"} ${this.#count}`,
      `${name}_sum ${this.#sum}`,
      `${name}_count ${this.#count}`,
    ]
  }
}

export class Metrics {
  /** By route and status. @type {Map<string, number>} */
  #requests = new Map()
  promptTokens = 0
  cachedTokens = 0
  generatedTokens = 0
  aborted = 0
  firstToken = new Histogram()
  duration = new Histogram()

  /** @param {string} route @param {number} status */
  request(route, status) {
    const labels = `route="${route}",status="${status}"`
    this.#requests.set(labels, (this.#requests.get(labels) ?? 0) + 1)
  }

  /** @param {import('../../src/openai/types.d.ts').CompletionUsage} usage */
  usage({ prompt_tokens: prompt, completion_tokens: generated, prompt_tokens_details: { cached_tokens: cached } }) {
    this.promptTokens += prompt
    this.cachedTokens += cached
    this.generatedTokens += generated
  }

  /** @param {{ running: number, waiting: number, memoryBytes: number, ready: boolean }} now */
  text({ running, waiting, memoryBytes, ready }) {
    return [
      ...single('itera_ready', 'gauge', '1 while requests are taken.', Number(ready)),
      ...family('itera_requests_total', 'counter', 'Requests answered.'),
      ...Array.from(this.#requests, ([labels, count]) => `itera_requests_total{${labels}} ${count}`),
      ...single('itera_requests_running', 'gauge', 'Requests at work.', running),
      ...single('itera_requests_waiting', 'gauge', 'Requests waiting for their turn.', waiting),
      ...single('itera_requests_aborted_total', 'counter', 'Requests whose client left.', this.aborted),
      ...single('itera_prompt_tokens_total', 'counter', 'Tokens of prompts.', this.promptTokens),
      ...single('itera_prompt_tokens_cached_total', 'counter', 'Of these, those read before.', this.cachedTokens),
      ...single('itera_generated_tokens_total', 'counter', 'Tokens generated.', this.generatedTokens),
      ...single('itera_memory_bytes', 'gauge', 'Memory of the engine.', memoryBytes),
      ...family('itera_time_to_first_token_seconds', 'histogram', 'From a request to its first token, waiting included.'),
      ...this.firstToken.lines('itera_time_to_first_token_seconds'),
      ...family('itera_request_duration_seconds', 'histogram', 'From a request to the end of its answer.'),
      ...this.duration.lines('itera_request_duration_seconds'),
      '',
    ].join('\n')
  }
}

/** @param {string} name @param {Kind | 'histogram'} kind @param {string} help */
const family = (name, kind, help) => [`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`]

/** @param {string} name @param {Kind} kind @param {string} help @param {number} value */
const single = (name, kind, help, value) => [...family(name, kind, help), `${name} ${value}`]
