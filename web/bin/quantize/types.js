/**
 * Tensor types that can be written: their ids in GGUF, how many weights lie in a block, and the number that
 * `general.file_type` has for a file made mostly of them. Names and numbers are llama.cpp's.
 */
export const tensorTypes = Object.freeze({
  F32: { id: 0, block: 1, fileType: 0 },
  F16: { id: 1, block: 1, fileType: 1 },
  BF16: { id: 30, block: 1, fileType: 32 },
  Q4_0: { id: 2, block: 32, fileType: 2 },
  Q4_1: { id: 3, block: 32, fileType: 3 },
  Q5_0: { id: 6, block: 32, fileType: 8 },
  Q5_1: { id: 7, block: 32, fileType: 9 },
  Q8_0: { id: 8, block: 32, fileType: 7 },
  Q4_K: { id: 12, block: 256, fileType: 15 },
  Q5_K: { id: 13, block: 256, fileType: 17 },
  Q6_K: { id: 14, block: 256, fileType: 18 },
})

/** @typedef {keyof typeof tensorTypes} TensorTypeName */
