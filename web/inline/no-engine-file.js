// In place of src/engine-file.js in the worker, which is given the module by the main thread.
export async function readEngine(variant) {
  throw new Error(`the ${variant} build was not handed to the worker`)
}
