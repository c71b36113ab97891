/** What the operators of classical models have in common: rows of features, products with a table, labels of classes. */
import type { Tensor } from '../../../engine/graph.ts'
import { noActivation } from '../../../kernels/activation.ts'
import { reduceOps } from '../../../kernels/reduce.ts'
import { shapeText } from '../../../tensor/shape.ts'
import { floats, inputOfRank, integers, type LowerContext, mismatch, opError, reshaped } from '../../lowering.ts'
import { emitCast, emitWith } from '../emit.ts'

/** The input as rows of float32 [rows, features]; a vector is one row. */
export function rowsOf(context: LowerContext, index = 0): Tensor {
  const x = emitCast(context, inputOfRank(context, index, 1, 2), 'float32')
  return x.dims.length === 1 ? reshaped(context, x, [1, ...x.dims]) : x
}

/** An attribute that must be there and hold numbers. */
export function floatsAttribute(context: LowerContext, name: string): readonly number[] {
  const list = context.op.attributes.floats(name) ?? []
  if (list.length === 0) throw opError(context, `lacks the attribute "${name}"; check the model file`)
  return list
}

/** One of the words that an attribute may be. */
export function wordOf<const W extends string>(
  context: LowerContext,
  name: string,
  words: readonly W[],
  fallback: W,
): W {
  const given = context.op.attributes.string(name, fallback)
  const word = words.find(candidate => candidate === given)
  if (word) return word
  throw opError(context, `has the ${name} "${given}", which ONNX does not know; check the model file`)
}

/**
 * x [rows, k] by the rows of a table [n, k], plus a bias by column or one for all: [rows, n].
 * @throws PeerError MODEL_BAD_OP where the table is not whole
 */
export function emitProduct(
  context: LowerContext,
  x: Tensor,
  table: readonly number[],
  n: number,
  bias: readonly number[] = [],
): Tensor {
  const [m, k] = x.dims
  if (table.length !== n * k) {
    throw mismatch(
      context,
      'coefficients for its input',
      `${n} x ${k}`,
      `${table.length}; its input is ${shapeText(x.dims)}`,
    )
  }
  const params = {
    ...{ batch: 1, m, n, k, transposeB: 1, sharedB: 1, hasBias: bias.length > 0 ? 1 : 0 },
    ...{ biasStrideM: 0, biasStrideN: bias.length > 1 ? 1 : 0, ...noActivation },
  }
  const operands = [x, floats(context, table, [n, k]), bias.length > 0 ? floats(context, bias) : null]
  return context.graph.emit('gemm', context.op.name, params, operands, [m, n], 'float32')
}

/** The place of the first largest of each row [rows, n]: [rows]. */
export function emitArgMax(context: LowerContext, x: Tensor): Tensor {
  const [outer, axis] = x.dims
  const params = { outer, axis, inner: 1, op: reduceOps.argMax, selectLast: 0 }
  return context.graph.emit('reduce', context.op.name, params, [x], [outer], 'int64')
}

/** What a classifier's classes are called. */
export type ClassLabels = { strings: readonly string[] } | { integers: readonly number[] }

/** The classes' labels, by the names that their attributes have in this operator. */
export function classLabels(context: LowerContext, stringsName: string, integersName: string): ClassLabels {
  const { attributes } = context.op
  const strings = attributes.strings(stringsName) ?? []
  return strings.length > 0 ? { strings } : { integers: attributes.ints(integersName) ?? [] }
}

export function labelCount(labels: ClassLabels): number {
  return 'strings' in labels ? labels.strings.length : labels.integers.length
}

/** Places among the classes as their labels; strings stay places, with their names. */
export function emitLabels(context: LowerContext, places: Tensor, labels: ClassLabels): Tensor {
  if ('strings' in labels) return { ...places, type: 'int64', labels: { names: labels.strings, open: false } }
  const list = labels.integers
  if (list.every((label, place) => label === place)) return { ...places, type: 'int64' }
  const [count] = places.dims
  const params = { outer: 1, axis: list.length, inner: 1, count }
  return context.graph.emit('gather', context.op.name, params, [integers(context, list), places], [count], 'int64')
}

/** The label of one of two classes for each row [rows, 1], the second where the score is above a bound. */
export function emitChoice(context: LowerContext, score: Tensor, bound: number, labels: ClassLabels): Tensor {
  const places = emitWith(context, 'greater', score, bound, 'int64')
  return emitLabels(context, reshaped(context, places, [places.dims[0]]), labels)
}
