/** A command line that makes no sense: the program says so and exits with status 2. */
export class UsageError extends Error {}
