// NumPy's .npy, as far as the reference files need it: little-endian int32, int64 and float32.
import { readFileSync } from 'node:fs';

export function readNpy(file) {
  const bytes = readFileSync(file);
  const version = bytes[6];
  const length = version === 1 ? bytes.readUInt16LE(8) : bytes.readUInt32LE(8);
  const start = (version === 1 ? 10 : 12) + length;
  const type = /'descr': '([^']+)'/.exec(bytes.toString('latin1', 0, start))[1];
  const data = bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + bytes.length);
  if (type === '<f4') return new Float32Array(data);
  if (type === '<i4') return new Int32Array(data);
  if (type === '<i8') return Int32Array.from(new BigInt64Array(data), Number);
  throw new Error(`${file}: type ${type}`);
}
