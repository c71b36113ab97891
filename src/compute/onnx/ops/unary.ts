/** Operators of one element: Relu, Exp, Sigmoid, Clip and their like -> unary, or short chains of it. */

import type { Tensor } from '../../engine/graph.ts'
import type { UnaryOp } from '../../kernels/unary.ts'
import { isElementType, isFloat } from '../../tensor/element-type.ts'
import type { Labels } from '../../tensor/labels.ts'
import { elementsOf } from '../../tensor/shape.ts'
import {
  InputValueNeeded,
  inputAt,
  knownScalar,
  type LowerContext,
  type Lowering,
  opError,
  unsupported,
} from '../lowering.ts'
import { elementTypeName } from '../tensor-proto.ts'
import { emitBinary, emitCast, emitUnary, emitWhere, emitWith, wrapIntegers } from './emit.ts'

/** An operator without constants. */
export function plain(op: UnaryOp): Lowering {
  return context => [wrapIntegers(context, emitUnary(context, inputAt(context, 0), op))]
}

/** Not, IsNaN: the result is bool. */
export function predicate(op: UnaryOp): Lowering {
  return context => [emitUnary(context, inputAt(context, 0), op, 0, 0, 'bool')]
}

export const isInf: Lowering = context => {
  const { attributes } = context.op
  const [positive, negative] = [attributes.int('detect_positive', 1), attributes.int('detect_negative', 1)]
  return [emitUnary(context, inputAt(context, 0), 'isInf', negative, positive, 'bool')]
}

/** An operator with the attributes alpha and beta (or `names`) and the specification's defaults. */
export function withConstants(op: UnaryOp, alpha: number, beta: number, names = ['alpha', 'beta']): Lowering {
  return context => {
    const { attributes } = context.op
    const constants = [attributes.float(names[0], alpha), attributes.float(names[1], beta)] as const
    return [emitUnary(context, inputAt(context, 0), op, ...constants)]
  }
}

/** Gelu, opset 20. */
export const gelu: Lowering = context => {
  const approximate = context.op.attributes.string('approximate', 'none')
  if (approximate !== 'none' && approximate !== 'tanh') {
    throw opError(context, `approximates by "${approximate}", which ONNX does not know; check the model file`)
  }
  return [emitUnary(context, inputAt(context, 0), approximate === 'tanh' ? 'geluTanh' : 'gelu')]
}

/** Bounds are attributes before opset 11 and inputs since; absent ones do not bound. */
export const clip: Lowering = context => {
  const { attributes } = context.op
  const x = inputAt(context, 0)
  const [low, high] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]
  if (context.opset < 11) {
    return [emitUnary(context, x, 'clip', attributes.float('min', low), attributes.float('max', high))]
  }
  try {
    const [min = low, max = high] = [knownScalar(context, 1, 'least value'), knownScalar(context, 2, 'largest value')]
    return [emitUnary(context, x, 'clip', min, max)]
  } catch (error) {
    // Bounds that the network computes are as good as any other tensor.
    if (!(error instanceof InputValueNeeded)) throw error
    const [min, max] = [context.inputs[1], context.inputs[2]]
    const bounded = min ? emitBinary(context, 'max', x, min) : x
    return [max ? emitBinary(context, 'min', bounded, max) : bounded]
  }
}

/** x + bias below -lambd, x - bias above lambd, else 0. */
export const shrink: Lowering = context => {
  const { attributes } = context.op
  const x = inputAt(context, 0)
  const [bias, lambd] = [attributes.float('bias', 0), attributes.float('lambd', 0.5)]
  const below = emitWith(context, 'less', x, -lambd, 'bool')
  const above = emitWith(context, 'greater', x, lambd, 'bool')
  const zero = emitWith(context, 'mul', x, 0)
  const upper = emitWhere(context, above, emitWith(context, 'sub', x, bias), zero)
  return [emitWhere(context, below, emitWith(context, 'add', x, bias), upper)]
}

export const cast: Lowering = context => {
  const to = elementTypeName(context.op.attributes.int('to', 0))
  const x = inputAt(context, 0)
  if (to === 'string') return [asStrings(context, x)]
  if (!isElementType(to)) throw unsupported(context, `casts to ${to}`)
  return [x.labels ? emitCast(context, numbersOf(context, x, x.labels), to) : emitCast(context, x, to)]
}

export const castLike: Lowering = context => {
  const [x, like] = [inputAt(context, 0), inputAt(context, 1)]
  if (like.labels) return [asStrings(context, x)]
  return [emitCast(context, x.labels ? numbersOf(context, x, x.labels) : x, like.type)]
}

/** Strings as they are, or numbers that are known; what a device computes is not written out. */
function asStrings(context: LowerContext, x: Tensor): Tensor {
  if (x.labels) return x
  const known = context.graph.known(x)
  if (!known || isFloat(x.type)) throw unsupported(context, `writes ${known ? x.type : 'computed numbers'} as strings`)
  const names = [...new Set(Array.from(known, String))]
  const data = Float64Array.from(known, value => names.indexOf(String(value)))
  return context.graph.constant({ dims: x.dims, type: 'int64', data, labels: { names, open: false } })
}

/** The numbers that strings are written as. */
function numbersOf(context: LowerContext, x: Tensor, { names, open }: Labels): Tensor {
  if (open) throw unsupported(context, 'reads numbers in strings that come from outside')
  const odd = names.find(name => name.trim() === '' || Number.isNaN(Number(name)))
  if (odd !== undefined) throw opError(context, `reads a number in the string "${odd}"; check the model file`)
  const params = { outer: 1, axis: names.length, inner: 1, count: elementsOf(x.dims) }
  const table = context.graph.constant({
    dims: [names.length],
    type: 'float64',
    data: Float64Array.from(names, Number),
  })
  return context.graph.emit('gather', context.op.name, params, [table, x], x.dims, 'float64')
}
