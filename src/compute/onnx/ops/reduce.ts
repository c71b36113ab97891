/** Reduce*, ArgMax, ArgMin -> reduce; CumSum -> cumsum; TopK -> top-k. */
import type { ReduceOp } from '../../kernels/reduce.ts'
import { topKParts } from '../../kernels/top-k.ts'
import { isInteger } from '../../tensor/element-type.ts'
import { normalAxis } from '../../tensor/shape.ts'
import { inputAt, inputOfRank, knownScalar, knownValues, type Lowering, mismatch } from '../lowering.ts'
import { emitReduce, emitUnary, linesOf, wrapIntegers } from './emit.ts'

/** What a reduction of single elements is, where no axis is reduced (noop_with_empty_axes): its own formula. */
const sinceInput: Partial<Record<ReduceOp, number>> = { sum: 13 }

/** Axes are an attribute at first, an input since opset 18 (ReduceSum since 13). */
export function reduction(op: ReduceOp): Lowering {
  return context => {
    const { attributes } = context.op
    const x = inputAt(context, 0)
    const byInput = context.opset >= (sinceInput[op] ?? 18)
    const given = byInput ? knownValues(context, 1, 'axes') : attributes.ints('axes')
    const keepDims = attributes.int('keepdims', 1) !== 0
    const none = given === undefined || given.length === 0
    if (none && byInput && attributes.int('noop_with_empty_axes', 0) !== 0) return [x]
    const axes = none ? x.dims.map((_, axis) => axis) : given
    const result = emitReduce(context, x, op, axes, keepDims)
    const whole = op === 'mean' && isInteger(x.type) ? emitUnary(context, result, 'truncate') : result
    return [wrapIntegers(context, whole)]
  }
}

export function argument(op: 'argMax' | 'argMin'): Lowering {
  return context => {
    const { attributes } = context.op
    const x = inputAt(context, 0)
    const last = attributes.int('select_last_index', 0) !== 0 ? 1 : 0
    const axis = attributes.int('axis', 0)
    return [emitReduce(context, x, op, [axis], attributes.int('keepdims', 1) !== 0, last)]
  }
}

export const cumSum: Lowering = context => {
  const { attributes, name } = context.op
  const x = inputOfRank(context, 0, 1)
  const axis = normalAxis(knownScalar(context, 1, 'axis') ?? 0, x.dims.length, name)
  const exclusive = attributes.int('exclusive', 0) !== 0 ? 1 : 0
  const reverse = attributes.int('reverse', 0) !== 0 ? 1 : 0
  return [context.graph.emit('cumsum', name, { ...linesOf(x.dims, axis), exclusive, reverse }, [x], x.dims)]
}

/** k is an attribute before opset 10; the smallest are asked for from 11 on. The order asked for is always kept. */
export const topK: Lowering = context => {
  const { attributes, name } = context.op
  const x = inputOfRank(context, 0, 1)
  const axis = normalAxis(attributes.int('axis', -1), x.dims.length, name)
  const k = context.opset < 10 ? attributes.int('k', -1) : (knownScalar(context, 1, 'k') ?? -1)
  if (!Number.isInteger(k) || k < 0 || k > x.dims[axis]) {
    throw mismatch(context, `k within axis ${axis},`, `0 to ${x.dims[axis]}`, `${k}`)
  }
  const params = { ...linesOf(x.dims, axis), k, largest: attributes.int('largest', 1) !== 0 ? 1 : 0 }
  const dims = x.dims.map((dim, i) => (i === axis ? k : dim))
  const part = (of: number) => context.graph.emit('top-k', name, { ...params, part: of }, [x], dims)
  return [part(topKParts.values), { ...part(topKParts.indices), type: 'int64' }]
}
