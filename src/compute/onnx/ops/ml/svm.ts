/**
 * SVMRegressor and SVMClassifier -> the kernel function of each row with each support vector (a product, or distances), then
 * one product with the coefficients; a classifier's pairs of classes vote, by a product with a table of signs.
 */
import type { Tensor } from '../../../engine/graph.ts'
import { noActivation } from '../../../kernels/activation.ts'
import { reduceOps } from '../../../kernels/reduce.ts'
import { claimTable, floats, type LowerContext, type Lowering, mismatch, opError, unsupported } from '../../lowering.ts'
import { emitBinary, emitUnary, emitWhere, emitWith } from '../emit.ts'
import {
  type ClassLabels,
  classLabels,
  emitArgMax,
  emitLabels,
  emitProduct,
  floatsAttribute,
  labelCount,
  rowsOf,
  wordOf,
} from './rows.ts'
import { emitPair, emitTransform, type PostTransform, postTransformOf } from './scores.ts'

const kernelTypes = ['LINEAR', 'POLY', 'RBF', 'SIGMOID'] as const

/** The kernel function of the rows with `count` support vectors: [rows, count]. */
function kernelValues(context: LowerContext, x: Tensor, vectors: readonly number[], count: number): Tensor {
  const kind = wordOf(context, 'kernel_type', kernelTypes, 'LINEAR')
  const [gamma = 0, coef0 = 0, degree = 0] = context.op.attributes.floats('kernel_params') ?? []
  if (kind === 'LINEAR') return emitProduct(context, x, vectors, count)
  if (kind === 'RBF')
    return emitUnary(context, emitWith(context, 'mul', distances(context, x, vectors, count), -gamma), 'exp')
  const product = emitProduct(context, x, vectors, count)
  const inner = emitWith(context, 'add', emitWith(context, 'mul', product, gamma), coef0)
  if (kind === 'SIGMOID') return emitUnary(context, inner, 'tanh')
  const square = emitBinary(context, 'mul', inner, inner)
  if (degree === 2) return square
  return degree === 3 ? emitBinary(context, 'mul', square, inner) : emitWith(context, 'pow', inner, degree)
}

/** Squared distances of the rows from the vectors, centred. */
function distances(context: LowerContext, x: Tensor, vectors: readonly number[], count: number): Tensor {
  const [m, k] = x.dims
  if (vectors.length !== count * k) throw mismatch(context, 'support vectors', `${count} x ${k}`, `${vectors.length}`)
  const columns = new Float32Array(vectors.length)
  for (let vector = 0; vector < count; vector++)
    for (let feature = 0; feature < k; feature++) columns[feature * count + vector] = vectors[vector * k + feature]
  const params = { m, n: count, k, hasScale: 0 }
  const operands = [x, floats(context, columns, [k, count]), null]
  return context.graph.emit('squared-distance', context.op.name, params, operands, [m, count])
}

export const svmRegressor: Lowering = context => {
  const { attributes } = context.op
  const count = attributes.int('n_supports', 0)
  const coefficients = floatsAttribute(context, 'coefficients')
  const [rho] = floatsAttribute(context, 'rho')
  const x = rowsOf(context)
  if (!(count >= 0 && count <= coefficients.length)) throw opError(context, `has ${count} support vectors`)
  // Without support vectors the coefficients are of the features themselves.
  const y =
    count === 0
      ? emitProduct(context, x, coefficients, 1, [rho])
      : emitProduct(
          context,
          kernelValues(context, x, floatsAttribute(context, 'support_vectors'), count),
          coefficients.slice(0, count),
          1,
          [rho],
        )
  if (attributes.int('one_class', 0) === 0) return [y]
  const inside = emitWith(context, 'greater', y, 0, 'bool')
  return [emitWhere(context, inside, floats(context, [1], []), floats(context, [-1], []))]
}

export const svmClassifier: Lowering = context => {
  const labels = classLabels(context, 'classlabels_strings', 'classlabels_ints')
  const classes = labelCount(labels)
  if (classes < 2) throw unsupported(context, `has ${classes} classes`)
  const perClass = context.op.attributes.ints('vectors_per_class') ?? []
  const count = perClass.reduce((sum, each) => sum + each, 0)
  const transform = postTransformOf(context)
  if (count === 0) return linear(context, labels, transform)
  if (perClass.length !== classes || perClass.some(each => !(each >= 0))) {
    throw mismatch(context, 'vectors_per_class for', `${classes} classes`, `[${perClass}]`)
  }
  const kernels = kernelValues(context, rowsOf(context), floatsAttribute(context, 'support_vectors'), count)
  const scores = pairScores(context, kernels, perClass, count)
  const label = emitLabels(context, emitArgMax(context, votes(context, scores, classes)), labels)
  if (context.op.attributes.floats('prob_a')?.length) return [label, coupled(context, scores, classes, transform)]
  if (classes > 2) return [label, emitTransform(context, scores, transform)]
  if (transform === 'PROBIT') throw unsupported(context, 'transforms one score of two classes by PROBIT')
  return [label, emitPair(context, scores, transform === 'NONE' ? 'opposite' : 'complement', transform)]
}

/** One product for each class; of two classes the label follows the larger score, or its own bound. */
function linear(context: LowerContext, labels: ClassLabels, transform: PostTransform): Tensor[] {
  const coefficients = floatsAttribute(context, 'coefficients')
  const [rho] = floatsAttribute(context, 'rho')
  const classes = labelCount(labels)
  const scores = emitProduct(context, rowsOf(context), coefficients, classes, [rho])
  const transformed = emitTransform(context, scores, transform)
  const places = emitArgMax(context, scores)
  if (classes > 2 || context.op.attributes.floats('prob_a')?.length) {
    return [emitLabels(context, places, labels), transformed]
  }
  // The second class wins by any score above the bound, its own or not.
  const positive = coefficients.every(value => value >= 0)
  const [outer, axis] = scores.dims
  const params = { outer, axis, inner: 1, op: reduceOps.max, selectLast: 0 }
  const most = context.graph.emit('reduce', context.op.name, params, [scores], [outer])
  const second = emitWith(context, positive ? 'greaterOrEqual' : 'greater', most, positive ? 0.5 : 0, 'int64')
  return [emitLabels(context, emitWhere(context, second, second, places), labels), transformed]
}

/** For each pair of classes i < j one score, above 0 for i: [rows, pairs]. */
function pairScores(context: LowerContext, kernels: Tensor, perClass: readonly number[], count: number): Tensor {
  const classes = perClass.length
  const pairs = (classes * (classes - 1)) / 2
  const coefficients = floatsAttribute(context, 'coefficients')
  const rho = floatsAttribute(context, 'rho')
  if (coefficients.length < (classes - 1) * count || rho.length < pairs) {
    throw mismatch(
      context,
      `coefficients and rho for ${classes} classes and ${count} vectors`,
      `${(classes - 1) * count} and ${pairs}`,
      `${coefficients.length} and ${rho.length}`,
    )
  }
  claimTable(context, pairs * count)
  const starts = perClass.map((_, i) => perClass.slice(0, i).reduce((sum, each) => sum + each, 0))
  const table = new Float32Array(pairs * count)
  let pair = 0
  for (let i = 0; i < classes; i++)
    for (let j = i + 1; j < classes; j++, pair++) {
      // Row j - 1 of the coefficients is of class i against j, row i of class j against i.
      const copy = (of: number, row: number) => {
        for (let v = starts[of]; v < starts[of] + perClass[of]; v++)
          table[pair * count + v] = coefficients[row * count + v]
      }
      copy(i, j - 1)
      copy(j, i)
    }
  return emitProduct(context, kernels, Array.from(table), pairs, rho.slice(0, pairs))
}

/** How many pairs each class wins: [rows, classes]. */
function votes(context: LowerContext, scores: Tensor, classes: number): Tensor {
  const [m, pairs] = scores.dims
  claimTable(context, pairs * classes)
  const signs = new Float32Array(pairs * classes)
  const base = new Float32Array(classes)
  let pair = 0
  for (let i = 0; i < classes; i++)
    for (let j = i + 1; j < classes; j++, pair++) {
      signs[pair * classes + i] = 1
      signs[pair * classes + j] = -1
      base[j]++
    }
  const won = emitWith(context, 'greater', scores, 0, 'float32')
  const params = {
    ...{ batch: 1, m, n: classes, k: pairs, transposeB: 0, sharedB: 1, hasBias: 1, biasStrideM: 0, biasStrideN: 1 },
    ...noActivation,
  }
  const operands = [won, floats(context, signs, [pairs, classes]), floats(context, base)]
  return context.graph.emit('gemm', context.op.name, params, operands, [m, classes])
}

/** Each pair's score as a probability, and the classes' own from these: [rows, classes]. */
function coupled(context: LowerContext, scores: Tensor, classes: number, transform: PostTransform): Tensor {
  const [rows, pairs] = scores.dims
  const [slopes, offsets] = ['prob_a', 'prob_b'].map(name => context.op.attributes.floats(name)?.slice(0, pairs) ?? [])
  if (slopes.length !== pairs || offsets.length !== pairs) {
    throw mismatch(
      context,
      `prob_a and prob_b for ${classes} classes, each`,
      `${pairs}`,
      `${slopes.length}, ${offsets.length}`,
    )
  }
  const scaled = emitBinary(context, 'mul', scores, floats(context, slopes))
  const against = emitBinary(context, 'add', scaled, floats(context, offsets))
  const likely = emitUnary(context, emitUnary(context, against, 'neg'), 'sigmoid')
  const bounded = emitUnary(context, likely, 'clip', Math.fround(1e-7), Math.fround(1 - Math.fround(1e-7)))
  const params = { rows, classes }
  const coupling = context.graph.emit('pairwise-coupling', context.op.name, params, [bounded], [rows, classes])
  return emitTransform(context, coupling, transform)
}
