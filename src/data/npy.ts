/** What NumPy's `.npy` files hold, as far as it is read and written here: dense arrays of numbers and booleans. */

import { assert } from '../base/errors.ts'

/** float16 as its bits, bool as 0 and 1. */
export interface NpyArrays {
  float32: Float32Array
  float64: Float64Array
  float16: Uint16Array
  int8: Int8Array
  int16: Int16Array
  int32: Int32Array
  int64: BigInt64Array
  uint8: Uint8Array
  uint16: Uint16Array
  uint32: Uint32Array
  uint64: BigUint64Array
  bool: Uint8Array
}

export type NpyType = keyof NpyArrays

/** Row-major; `data` is the array that `NpyArrays` names for `type`. */
export interface NpyArray {
  type: NpyType
  dims: readonly number[]
  data: NpyArrays[NpyType]
}

/** NumPy's code without its byte order -> the type, its bytes and a view of them. */
export const npyTypes: Readonly<
  Record<string, { type: NpyType; bytes: number; view(buffer: ArrayBuffer): NpyArrays[NpyType] }>
> = {
  f4: { type: 'float32', bytes: 4, view: buffer => new Float32Array(buffer) },
  f8: { type: 'float64', bytes: 8, view: buffer => new Float64Array(buffer) },
  f2: { type: 'float16', bytes: 2, view: buffer => new Uint16Array(buffer) },
  i1: { type: 'int8', bytes: 1, view: buffer => new Int8Array(buffer) },
  i2: { type: 'int16', bytes: 2, view: buffer => new Int16Array(buffer) },
  i4: { type: 'int32', bytes: 4, view: buffer => new Int32Array(buffer) },
  i8: { type: 'int64', bytes: 8, view: buffer => new BigInt64Array(buffer) },
  u1: { type: 'uint8', bytes: 1, view: buffer => new Uint8Array(buffer) },
  u2: { type: 'uint16', bytes: 2, view: buffer => new Uint16Array(buffer) },
  u4: { type: 'uint32', bytes: 4, view: buffer => new Uint32Array(buffer) },
  u8: { type: 'uint64', bytes: 8, view: buffer => new BigUint64Array(buffer) },
  b1: { type: 'bool', bytes: 1, view: buffer => new Uint8Array(buffer) },
}

/** \x93NUMPY */
export const npyMagic: readonly number[] = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]

/** A buffer as the array that holds such elements. */
export function npyView(type: NpyType, buffer: ArrayBuffer): NpyArrays[NpyType] {
  const known = Object.values(npyTypes).find(one => one.type === type)
  assert(known, `there is a view of ${type}`)
  return known.view(buffer)
}
