/**
 * Shapes: dims from the outermost to the innermost axis, row-major. A shape that comes from outside goes
 * through `checkShape` before anything is allocated for it; the empty shape is a scalar.
 */
import { PeerError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'

export type Shape = readonly number[]

/** Number of elements; 1 for a scalar, 0 where a dim is 0. */
export function elementsOf(shape: Shape): number {
  let elements = 1
  for (const dim of shape) elements *= dim
  return elements
}

/** Row-major strides in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length)
  let stride = 1
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride
    stride *= shape[axis]
  }
  return strides
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, axis) => dim === b[axis])
}

export function shapeText(shape: readonly (number | string)[]): string {
  return `[${shape.join(', ')}]`
}

/**
 * The same shape, known to be of whole non-negative dims within the limits.
 * @param what names the tensor in the error's line
 * @throws PeerError MODEL_BAD_SHAPE
 */
export function checkShape(shape: Shape, what: string): Shape {
  const whole = shape.every(dim => Number.isInteger(dim) && dim >= 0)
  if (!whole || shape.length > limits.tensorRankMax || !(elementsOf(shape) <= limits.tensorElementsMax)) {
    throw new PeerError({
      code: 'MODEL_BAD_SHAPE',
      kind: 'model',
      message: `${what} has the shape ${shapeText(shape)}, which is outside what this program computes with; check the model file`,
      details: { shape: [...shape] },
    })
  }
  return shape
}

/**
 * An axis counted from either end, as one from the front.
 * @throws PeerError MODEL_BAD_AXIS when it lies outside [-rank, rank)
 */
export function normalAxis(axis: number, rank: number, what: string): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    throw new PeerError({
      code: 'MODEL_BAD_AXIS',
      kind: 'model',
      message: `${what} has axis ${axis}, but its tensor has rank ${rank}; check the model file`,
    })
  }
  return axis < 0 ? axis + rank : axis
}
