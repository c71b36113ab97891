/**
 * A tensor whose values are known while a network is prepared. Integers, booleans and float64 are held as doubles, which
 * hold every index and shape exactly (integers beyond 2^53, which only mark ends, are rounded).
 */
import type { ElementType } from './element-type.ts'
import type { Labels } from './labels.ts'
import type { Shape } from './shape.ts'

export interface Constant {
  readonly dims: Shape
  readonly type: ElementType
  /** As `makeHostArray` makes it for the type. */
  readonly data: Float32Array | Float64Array
  /** The names that the integers of a tensor of strings stand for. */
  readonly labels?: Labels
}

export function floatConstant(dims: Shape, data: Float32Array): Constant {
  return { dims, type: 'float32', data }
}

/** A one-dimensional int64 tensor, as shapes are. */
export function intConstant(values: readonly number[]): Constant {
  return { dims: [values.length], type: 'int64', data: Float64Array.from(values) }
}
