/** LinearRegressor and LinearClassifier -> one product, and what becomes of its scores. */
import { type Lowering, opError, unsupported } from '../../lowering.ts'
import {
  classLabels,
  emitArgMax,
  emitChoice,
  emitLabels,
  emitProduct,
  floatsAttribute,
  labelCount,
  rowsOf,
} from './rows.ts'
import { emitPair, emitTransform, postTransformOf } from './scores.ts'

export const linearRegressor: Lowering = context => {
  const { attributes } = context.op
  const targets = attributes.int('targets', 1)
  const intercepts = attributes.floats('intercepts') ?? []
  const bias = intercepts.length === targets ? intercepts : []
  const scores = emitProduct(context, rowsOf(context), floatsAttribute(context, 'coefficients'), targets, bias)
  return [emitTransform(context, scores, postTransformOf(context))]
}

/** One score and two labels: a score above 0 is the second class, and the first one's is what is missing to 1. */
export const linearClassifier: Lowering = context => {
  const labels = classLabels(context, 'classlabels_strings', 'classlabels_ints')
  const transform = postTransformOf(context)
  const intercepts = context.op.attributes.floats('intercepts') ?? []
  const classes = intercepts.length || labelCount(labels)
  if (classes === 0) throw opError(context, 'names no classes; check the model file')
  const x = rowsOf(context)
  const scores = emitProduct(context, x, floatsAttribute(context, 'coefficients'), classes, intercepts)
  if (classes > 1) {
    if (labelCount(labels) < classes) throw opError(context, `has ${classes} scores and ${labelCount(labels)} labels`)
    return [emitLabels(context, emitArgMax(context, scores), labels), emitTransform(context, scores, transform)]
  }
  if (labelCount(labels) !== 2) {
    const two = 'strings' in labels ? { strings: ['0', '1'] } : { integers: [0, 1] }
    return [emitChoice(context, scores, 0, two), emitTransform(context, scores, transform)]
  }
  if (transform === 'PROBIT') throw unsupported(context, 'transforms one score of two classes by PROBIT')
  return [emitChoice(context, scores, 0, labels), emitPair(context, scores, 'complement', transform)]
}
