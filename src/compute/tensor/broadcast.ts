/** Multidirectional broadcasting as ONNX and NumPy define it: shapes are aligned at the right, a dim of 1 repeats. */
import { PeerError } from '../../base/errors.ts'
import { type Shape, shapeText, stridesOf } from './shape.ts'

/**
 * The shape that all operands broadcast to.
 * @throws PeerError MODEL_BROADCAST when dims differ and neither is 1
 */
export function broadcastShape(shapes: readonly Shape[], what: string): number[] {
  const rank = Math.max(0, ...shapes.map(shape => shape.length))
  const result = new Array<number>(rank).fill(1)
  for (const shape of shapes) {
    const shift = rank - shape.length
    shape.forEach((dim, axis) => {
      const so = result[axis + shift]
      if (so === 1) result[axis + shift] = dim
      else if (dim !== 1 && dim !== so) {
        throw new PeerError({
          code: 'MODEL_BROADCAST',
          kind: 'model',
          message: `${what} cannot broadcast ${shapes.map(shapeText).join(' with ')}; check the model file`,
        })
      }
    })
  }
  return result
}

/** Strides in elements with which an operand of `shape` is read along `target`; 0 where it repeats. */
export function broadcastStrides(shape: Shape, target: Shape): number[] {
  const own = stridesOf(shape)
  const shift = target.length - shape.length
  return target.map((_, axis) => (axis < shift || shape[axis - shift] === 1 ? 0 : own[axis - shift]))
}
