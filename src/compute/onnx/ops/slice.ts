/** Slice, opset 1 (attributes) and 10 on (inputs) -> copy; a slice of a known one-dimensional tensor stays known. */
import { copyParams } from '../../engine/copy-params.ts'
import { normalAxis, stridesOf } from '../../tensor/shape.ts'
import { asTensor, inputAt, isConstant, knownValues, type LowerContext, type Lowering, opError } from '../lowering.ts'

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

export const slice: Lowering = context => {
  const { op, opset, graph } = context
  const input = inputAt(context, 0)
  const rank = input.dims.length
  const known = (name: string, index: number) =>
    opset < 10 ? op.attributes.ints(name) : knownValues(context, index, name)
  const starts = known('starts', 1)
  const ends = known('ends', 2)
  const axes = known('axes', 3) ?? starts?.map((_, axis) => axis)
  const steps = opset < 10 ? undefined : known('steps', 4)
  if (!starts || !ends || !axes || ends.length !== starts.length || axes.length !== starts.length) {
    throw opError(context, 'has starts, ends and axes that do not fit together; check the model file')
  }
  const cuts: Cut[] = input.dims.map(length => ({ start: 0, step: 1, length }))
  axes.forEach((given, i) => {
    const axis = normalAxis(given, rank, op.name)
    cuts[axis] = cutAxis(context, input.dims[axis], starts[i], ends[i], steps?.[i] ?? 1)
  })
  const dims = cuts.map(cut => cut.length)
  if (isConstant(input) && rank === 1) {
    const [{ start, step, length }] = cuts
    return [{ ...input, dims, data: input.data.map((_, i, all) => all[start + i * step]).slice(0, length) }]
  }
  const x = asTensor(context, input)
  const from = stridesOf(x.dims)
  const offset = dims.includes(0) ? 0 : cuts.reduce((sum, cut, axis) => sum + cut.start * from[axis], 0)
  const strides = cuts.map((cut, axis) => cut.step * from[axis])
  const target = graph.empty(dims, `the result of "${op.name}"`)
  graph.fill(op.name, copyParams(dims, { offset, strides }, { offset: 0, strides: stridesOf(dims) }), x, target)
  return [target]
}
