/** Expand and Tile -> copy with strides of 0; Pad -> copies (constant) or gathers along each axis (reflect, edge, wrap). */
import type { Tensor } from '../../engine/graph.ts'
import { broadcastShape } from '../../tensor/broadcast.ts'
import { checkShape, elementsOf, normalAxis, shapeText, stridesOf } from '../../tensor/shape.ts'
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
} from '../lowering.ts'
import { copyParts, emitExpand, linesOf } from './emit.ts'
import { filled } from './generate.ts'
import { emitCuts } from './slice.ts'

export const expand: Lowering = context => {
  const x = inputAt(context, 0)
  const target = checkShape(knownValues(context, 1, 'shape') ?? [], 'the shape to expand to')
  return [emitExpand(context, x, broadcastShape([x.dims, target], context.op.name))]
}

export const tile: Lowering = context => {
  const x = inputAt(context, 0)
  const repeats = knownValues(context, 1, 'repeats') ?? []
  if (repeats.length !== x.dims.length || repeats.some(count => !(count >= 0))) {
    throw mismatch(context, 'repeats for a tensor of rank', `${x.dims.length}`, shapeText(repeats))
  }
  const dims = x.dims.map((dim, axis) => dim * repeats[axis])
  checkShape(dims, `the result of "${context.op.name}"`)
  // Every axis as two: the repeats, which walk nowhere, and the elements.
  const strides = stridesOf(x.dims)
  const walk = dims.includes(0) ? [] : x.dims.flatMap((dim, axis) => [repeats[axis], dim])
  const read = { offset: 0, strides: strides.flatMap(stride => [0, stride]) }
  const parts = dims.includes(0) ? [] : copyParts(x, walk, read, { offset: 0, strides: stridesOf(walk) })
  return [context.graph.assemble(context.op.name, parts, dims, x.type)]
}

/** Pads by attribute before opset 11, by input since; axes from opset 18 on. Negative pads cut. */
export const pad: Lowering = context => {
  const { op, opset } = context
  const x = inputAt(context, 0)
  const rank = x.dims.length
  const given =
    opset < 11 ? (op.attributes.ints('pads') ?? op.attributes.ints('paddings')) : knownValues(context, 1, 'pads')
  const axes = (opset < 18 ? undefined : knownValues(context, 3, 'axes')) ?? x.dims.map((_, axis) => axis)
  if (given?.length !== 2 * axes.length) {
    throw mismatch(context, 'pads as', `${2 * axes.length} numbers`, `${given?.length ?? 0}`)
  }
  const before = new Array<number>(rank).fill(0)
  const after = new Array<number>(rank).fill(0)
  axes.forEach((axis, i) => {
    before[normalAxis(axis, rank, op.name)] = given[i]
    after[normalAxis(axis, rank, op.name)] = given[i + axes.length]
  })
  checkShape(
    x.dims.map((dim, axis) => dim + before[axis] + after[axis]),
    `the result of "${op.name}"`,
  )
  const mode = op.attributes.string('mode', 'constant')
  if (mode === 'constant') {
    const value = opset < 11 ? op.attributes.float('value', 0) : (knownScalar(context, 2, 'padding value') ?? 0)
    return [emitPad(context, x, before, after, value)]
  }
  if (mode !== 'reflect' && mode !== 'edge' && mode !== 'wrap') {
    throw opError(context, `has the mode "${mode}", which ONNX does not know; check the model file`)
  }
  let result = x
  for (let axis = 0; axis < rank; axis++) {
    if (before[axis] === 0 && after[axis] === 0) continue
    result = gatherAxis(context, result, axis, paddedPlaces(context, mode, x.dims[axis], before[axis], after[axis]))
  }
  return [result]
}

/** Where each element of a padded axis comes from. */
function paddedPlaces(
  context: LowerContext,
  mode: 'reflect' | 'edge' | 'wrap',
  dim: number,
  before: number,
  after: number,
) {
  if (dim === 0) throw mismatch(context, `in the mode "${mode}" an axis of at least`, '1', '0')
  claimTable(context, dim + before + after)
  const period = mode === 'reflect' ? Math.max(1, 2 * dim - 2) : dim
  return Array.from({ length: dim + before + after }, (_, i) => {
    const place = i - before
    if (mode === 'edge') return Math.min(Math.max(place, 0), dim - 1)
    const within = ((place % period) + period) % period
    return within < dim ? within : period - within
  })
}

/** Elements of x along one axis by known places. */
export function gatherAxis(context: LowerContext, x: Tensor, axis: number, places: readonly number[]): Tensor {
  const dims = x.dims.map((dim, i) => (i === axis ? places.length : dim))
  const params = { ...linesOf(x.dims, axis), count: places.length }
  return context.graph.emit('gather', context.op.name, params, [x, integers(context, places)], dims)
}

/** x in the middle of a constant; negative widths cut. */
export function emitPad(
  context: LowerContext,
  x: Tensor,
  before: readonly number[],
  after: readonly number[],
  value: number,
): Tensor {
  const cuts = x.dims.map((dim, axis) => {
    const start = Math.max(0, -before[axis])
    return { start, step: 1, length: Math.max(0, dim - start - Math.max(0, -after[axis])) }
  })
  const inner = emitCuts(context, x, cuts)
  const dims = x.dims.map((dim, axis) => dim + before[axis] + after[axis])
  if (dims.every((dim, axis) => dim === inner.dims[axis])) return inner
  checkShape(dims, `the result of "${context.op.name}"`)
  if (elementsOf(inner.dims) === 0) return filled(context, dims, x.type, value)
  const strides = stridesOf(dims)
  const offset = strides.reduce((sum, stride, axis) => sum + stride * Math.max(0, before[axis]), 0)
  const one = filled(context, [], x.type, value)
  const parts = [
    ...copyParts(one, [elementsOf(dims)], { offset: 0, strides: [0] }, { offset: 0, strides: [1] }),
    ...copyParts(inner, inner.dims, { offset: 0, strides: stridesOf(inner.dims) }, { offset, strides }),
  ]
  return reshaped(context, context.graph.assemble(context.op.name, parts, dims, x.type), dims)
}
