/**
 * What a classical model does to its scores at last: the attribute `post_transform`, as onnxruntime has it, whose results the
 * exporters' own tests hold: a single score passes as it is unless the transform is PROBIT.
 */
import type { Tensor } from '../../../engine/graph.ts'
import { floats, type LowerContext } from '../../lowering.ts'
import { emitConcat } from '../concat.ts'
import { emitBinary, emitReduce, emitUnary, emitWhere, emitWith } from '../emit.ts'
import { wordOf } from './rows.ts'

const transforms = ['NONE', 'LOGISTIC', 'SOFTMAX', 'SOFTMAX_ZERO', 'PROBIT'] as const

export type PostTransform = (typeof transforms)[number]

export function postTransformOf(context: LowerContext): PostTransform {
  return wordOf(context, 'post_transform', transforms, 'NONE')
}

/** Scores [rows, n], transformed by row. */
export function emitTransform(context: LowerContext, scores: Tensor, transform: PostTransform): Tensor {
  const [outer, axis] = scores.dims
  if (transform === 'PROBIT') return probit(context, scores)
  if (transform === 'NONE' || axis === 1) return scores
  if (transform === 'LOGISTIC') return emitUnary(context, scores, 'sigmoid')
  if (transform === 'SOFTMAX_ZERO') return softmaxZero(context, scores)
  return context.graph.emit('softmax', context.op.name, { outer, axis, inner: 1, log: 0 }, [scores], scores.dims)
}

/** One score a row [rows, 1] as two [rows, 2]: of the first class and of the second. LOGISTIC takes it and its opposite. */
export function emitPair(
  context: LowerContext,
  score: Tensor,
  way: 'complement' | 'opposite',
  transform: PostTransform,
): Tensor {
  if (way === 'complement' && transform !== 'LOGISTIC') {
    return emitConcat(context, [emitBinary(context, 'sub', floats(context, [1], [1, 1]), score), score], 1)
  }
  const pair = emitConcat(context, [emitUnary(context, score, 'neg'), score], 1)
  return transform === 'LOGISTIC' ? emitUnary(context, pair, 'sigmoid') : pair
}

/** Softmax over what is not zero; what is stays zero, or nearly. */
function softmaxZero(context: LowerContext, scores: Tensor): Tensor {
  const most = emitReduce(context, scores, 'max', [1], true)
  const counts = emitWith(context, 'greater', emitUnary(context, scores, 'abs'), Math.fround(1e-7), 'bool')
  const grown = emitUnary(context, emitBinary(context, 'sub', scores, most), 'exp')
  const zero = floats(context, [0], [])
  const sum = emitReduce(context, emitWhere(context, counts, grown, zero), 'sum', [1], true)
  const scale = emitUnary(context, emitUnary(context, most, 'neg'), 'exp')
  const parts = emitWhere(context, counts, grown, emitBinary(context, 'mul', scores, scale))
  return emitBinary(context, 'div', parts, sum)
}

/** The inverse of the normal distribution, by Winitzki's approximation, as onnxruntime has it. */
function probit(context: LowerContext, scores: Tensor): Tensor {
  const x = emitWith(context, 'sub', emitWith(context, 'mul', scores, 2), 1)
  const one = floats(context, [1], [])
  const below = emitBinary(context, 'sub', one, x)
  const log = emitUnary(context, emitBinary(context, 'mul', below, emitWith(context, 'add', x, 1)), 'log')
  const v = emitWith(context, 'add', emitWith(context, 'mul', log, 0.5), 2 / (Math.PI * 0.147))
  const square = emitBinary(context, 'sub', emitBinary(context, 'mul', v, v), emitWith(context, 'mul', log, 1 / 0.147))
  const size = emitUnary(context, emitBinary(context, 'sub', emitUnary(context, square, 'sqrt'), v), 'sqrt')
  const sign = emitWhere(context, emitWith(context, 'less', x, 0, 'bool'), floats(context, [-1], []), one)
  return emitWith(context, 'mul', emitBinary(context, 'mul', size, sign), Math.SQRT2)
}
