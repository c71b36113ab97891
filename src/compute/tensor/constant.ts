/**
 * A tensor whose values are known while a network is prepared. Floats are held as float32; integers and booleans
 * as doubles, which hold every index and shape exactly.
 */
import type { Shape } from './shape.ts'

export type ConstantType = 'float32' | 'float64' | 'int64' | 'int32' | 'int8' | 'uint8' | 'bool'

export interface Constant {
  readonly dims: Shape
  readonly dtype: ConstantType
  /** Float32Array exactly when dtype is float32. */
  readonly data: Float32Array | Float64Array
}

export function floatConstant(dims: Shape, data: Float32Array): Constant {
  return { dims, dtype: 'float32', data }
}

/** A one-dimensional int64 tensor, as shapes are. */
export function intConstant(values: readonly number[]): Constant {
  return { dims: [values.length], dtype: 'int64', data: Float64Array.from(values) }
}
