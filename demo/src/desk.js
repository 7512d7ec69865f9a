// What the two kinds of writing share: the model at hand, one run at a time, and where the text is kept.

/**
 * @typedef {object} Outcome
 * @property {string} ending
 * @property {any} failed
 * @property {boolean} dropped
 * @property {import('./tree.js').Turn['stats']} [stats]
 * @property {() => void} follow  brings the end of the text into sight, unless the reader has scrolled up
 *
 * @typedef {object} Job
 * @property {HTMLElement} text  what grows
 * @property {(options: any) => Promise<AsyncIterable<import('itera-lite').Piece>>} begin
 * @property {(text: string) => void} append
 * @property {() => void} started  the run has begun, for the buttons
 *
 * @typedef {object} Desk
 * @property {import('./conversations.js').Conversations} talks
 * @property {boolean} running
 * @property {() => Promise<boolean>} ready  loads the first model where there is none
 * @property {() => void} go  the big button
 * @property {(job: Job) => Promise<Outcome>} run
 * @property {(outcome: Outcome) => void} finish  all is in its place again
 * @property {() => void} moved  another branch is on the page
 * @property {() => void} refresh
 */
export {}
