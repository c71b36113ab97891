/** Operators that move no data: Reshape, Flatten, Squeeze, Unsqueeze, Identity, Dropout; and Shape and Size. */
import type { Tensor } from '../../engine/graph.ts'
import { elementsOf, normalAxis, type Shape, shapeText } from '../../tensor/shape.ts'
import {
  claimTable,
  inputAt,
  integers,
  knownScalar,
  knownValues,
  type LowerContext,
  type Lowering,
  mismatch,
  opError,
  reshaped,
  unsupported,
} from '../lowering.ts'

export const identity: Lowering = context => [inputAt(context, 0)]

/** In inference: what comes in, and a mask of ones. */
export const dropout: Lowering = context => {
  const x = inputAt(context, 0)
  const training = context.opset < 12 ? 0 : (knownScalar(context, 2, 'training mode') ?? 0)
  const ratio = context.opset < 12 ? 0.5 : (knownScalar(context, 1, 'ratio') ?? 0.5)
  if (training !== 0 && ratio !== 0) throw unsupported(context, 'drops at random, in training mode')
  if (!context.op.outputs[1]) return [x]
  claimTable(context, elementsOf(x.dims))
  const ones = { dims: x.dims, type: 'bool', data: new Float64Array(elementsOf(x.dims)).fill(1) } as const
  return [x, context.graph.constant(ones)]
}

/** The target is an attribute before opset 5. 0 keeps a dim (unless allowzero), -1 is what remains. */
export const reshape: Lowering = context => {
  const { op, opset } = context
  const input = inputAt(context, 0)
  const target = opset < 5 ? op.attributes.ints('shape') : knownValues(context, 1, 'shape')
  if (!target) throw opError(context, 'does not say its shape; check the model file')
  const keepsZero = op.attributes.int('allowzero', 0) !== 0
  const dims = target.map((dim, axis) => (dim === 0 && !keepsZero ? (input.dims[axis] ?? -2) : dim))
  const elements = elementsOf(input.dims)
  const free = dims.indexOf(-1)
  if (free >= 0) {
    const rest = elementsOf(dims.filter((_, axis) => axis !== free))
    dims[free] = rest === 0 ? 0 : elements / rest
  }
  if (!dims.every(dim => Number.isInteger(dim) && dim >= 0) || elementsOf(dims) !== elements) {
    throw opError(
      context,
      `cannot bring ${shapeText(input.dims)} into ${shapeText(target)}; a model with a fixed batch takes only that batch`,
    )
  }
  return [reshaped(context, input, dims)]
}

export const flatten: Lowering = context => {
  const input = inputAt(context, 0)
  const rank = input.dims.length
  const given = context.op.attributes.int('axis', 1)
  const axis = given === rank ? rank : normalAxis(given, rank, context.op.name)
  return [reshaped(context, input, [elementsOf(input.dims.slice(0, axis)), elementsOf(input.dims.slice(axis))])]
}

/** Axes as they are given: an attribute before opset 13, an input since. */
function axesOf(context: LowerContext): readonly number[] | undefined {
  return context.opset < 13 ? context.op.attributes.ints('axes') : knownValues(context, 1, 'axes')
}

/** The same data with axes of size 1 at `axes` of the result. */
export function unsqueezed(context: LowerContext, input: Tensor, axes: readonly number[]): Tensor {
  const rank = input.dims.length + axes.length
  const added = new Set(axes.map(axis => normalAxis(axis, rank, context.op.name)))
  if (added.size !== axes.length) throw opError(context, 'names an axis twice; check the model file')
  const rest = [...input.dims]
  return reshaped(
    context,
    input,
    Array.from({ length: rank }, (_, axis) => (added.has(axis) ? 1 : (rest.shift() ?? 1))),
  )
}

export const unsqueeze: Lowering = context => {
  const axes = axesOf(context)
  if (!axes) throw opError(context, 'does not say its axes; check the model file')
  return [unsqueezed(context, inputAt(context, 0), axes)]
}

export const squeeze: Lowering = context => {
  const input = inputAt(context, 0)
  const rank = input.dims.length
  const axes = axesOf(context)?.map(axis => normalAxis(axis, rank, context.op.name))
  if (axes?.some(axis => input.dims[axis] !== 1)) {
    throw mismatch(context, `size 1 in the axes ${shapeText(axes)} of`, 'its input', shapeText(input.dims))
  }
  return [
    reshaped(
      context,
      input,
      input.dims.filter((dim, axis) => (axes ? !axes.includes(axis) : dim !== 1)),
    ),
  ]
}

/** A place among dims, counted from either end and clamped. */
function clampAxis(axis: number, rank: number): number {
  return Math.min(Math.max(axis < 0 ? axis + rank : axis, 0), rank)
}

export const shape: Lowering = context => {
  const { attributes } = context.op
  const { dims } = inputAt(context, 0)
  const start = clampAxis(attributes.int('start', 0), dims.length)
  const end = clampAxis(attributes.int('end', dims.length), dims.length)
  const part: Shape = dims.slice(start, Math.max(start, end))
  return [integers(context, part)]
}

export const size: Lowering = context => [integers(context, [elementsOf(inputAt(context, 0).dims)], [])]
