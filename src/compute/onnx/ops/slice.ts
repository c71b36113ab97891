/** Slice (opset 1 on: attributes, 10 on: inputs) and Split (2 on) -> copy. */
import type { Tensor } from '../../engine/graph.ts'
import { normalAxis, shapeText, stridesOf } from '../../tensor/shape.ts'
import { inputAt, knownValues, type LowerContext, type Lowering, mismatch, opError } from '../lowering.ts'
import { emitView } from './emit.ts'

interface Cut {
  start: number
  step: number
  length: number
}

/** Start, end and step as the specification clamps them. */
function cutAxis(context: LowerContext, dim: number, start: number, end: number, step: number): Cut {
  if (!Number.isInteger(step) || step === 0) throw opError(context, `has the step ${step}; check the model file`)
  const clamp = (value: number, low: number, high: number) => Math.min(Math.max(value, low), high)
  const fromFront = (value: number) => (value < 0 ? value + dim : value)
  const first = clamp(fromFront(start), 0, step > 0 ? dim : dim - 1)
  const last = clamp(fromFront(end), step > 0 ? 0 : -1, dim)
  return { start: Math.max(0, first), step, length: Math.max(0, Math.ceil((last - first) / step)) }
}

export function emitCuts(context: LowerContext, x: Tensor, cuts: readonly Cut[]): Tensor {
  const dims = cuts.map(cut => cut.length)
  const from = stridesOf(x.dims)
  const offset = dims.includes(0) ? 0 : cuts.reduce((sum, cut, axis) => sum + cut.start * from[axis], 0)
  return emitView(context, x, dims, { offset, strides: cuts.map((cut, axis) => cut.step * from[axis]) })
}

/** `length` elements from `start` along one axis. */
export function emitPart(context: LowerContext, x: Tensor, axis: number, start: number, length: number): Tensor {
  return emitCuts(
    context,
    x,
    x.dims.map((dim, i) => (i === axis ? { start, step: 1, length } : { start: 0, step: 1, length: dim })),
  )
}

export const slice: Lowering = context => {
  const { op, opset } = context
  const x = inputAt(context, 0)
  const known = (name: string, index: number) =>
    opset < 10 ? op.attributes.ints(name) : knownValues(context, index, name)
  const starts = known('starts', 1)
  const ends = known('ends', 2)
  const axes = known('axes', 3) ?? starts?.map((_, axis) => axis)
  const steps = opset < 10 ? undefined : known('steps', 4)
  const fits = [ends, axes, steps ?? starts].every(list => list?.length === starts?.length)
  if (!starts || !ends || !axes || !fits) {
    throw opError(context, 'has starts, ends, axes and steps that do not fit together; check the model file')
  }
  const cuts: Cut[] = x.dims.map(length => ({ start: 0, step: 1, length }))
  axes.forEach((given, i) => {
    const axis = normalAxis(given, x.dims.length, op.name)
    cuts[axis] = cutAxis(context, x.dims[axis], starts[i], ends[i], steps?.[i] ?? 1)
  })
  return [emitCuts(context, x, cuts)]
}

/** Sizes by attribute before opset 13, by input since; opset 18 may give the number of parts instead. */
export const split: Lowering = context => {
  const { op, opset } = context
  const x = inputAt(context, 0)
  const axis = normalAxis(op.attributes.int('axis', 0), x.dims.length, op.name)
  const dim = x.dims[axis]
  const given = opset < 13 ? op.attributes.ints('split') : knownValues(context, 1, 'split')
  const parts = op.attributes.int('num_outputs', op.outputs.length)
  if (!(parts >= 1 && parts <= op.outputs.length)) {
    throw mismatch(context, 'at least as many outputs as parts,', `${parts}`, `${op.outputs.length}`)
  }
  // Before opset 18 parts are equal; since, the last is smaller where they cannot be.
  const each = Math.ceil(dim / parts)
  if (!given && opset < 18 && each * parts !== dim)
    throw mismatch(context, 'a dim that divides by', `${parts}`, `${dim}`)
  const sizes = given ?? Array.from({ length: parts }, (_, i) => Math.max(0, Math.min(each, dim - i * each)))
  const total = sizes.reduce((sum, size) => sum + size, 0)
  if (total !== dim || sizes.some(size => !(size >= 0)) || sizes.length > op.outputs.length) {
    throw mismatch(context, `parts of axis ${axis} that add up to`, `${dim}`, shapeText(sizes))
  }
  let start = 0
  return sizes.map(size => {
    start += size
    return emitPart(context, x, axis, start - size, size)
  })
}
