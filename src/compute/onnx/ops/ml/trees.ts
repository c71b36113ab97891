/**
 * TreeEnsembleRegressor and TreeEnsembleClassifier (ai.onnx.ml opsets 1 and 3), TreeEnsemble (opset 5) -> tree-ensemble, and
 * what becomes of its sums.
 * Where the specification leaves two classes open, results are onnxruntime's, with which exporters test.
 */
import { limits } from '../../../../base/limits.ts'
import type { Tensor } from '../../../engine/graph.ts'
import { treeAggregates } from '../../../kernels/tree-ensemble.ts'
import { floats, type LowerContext, type Lowering, mismatch, opError, unsupported } from '../../lowering.ts'
import { emitConcat } from '../concat.ts'
import { emitBinary, emitUnary, emitView, emitWhere, emitWith } from '../emit.ts'
import {
  type ClassLabels,
  classLabels,
  emitArgMax,
  emitChoice,
  emitLabels,
  labelCount,
  rowsOf,
  wordOf,
} from './rows.ts'
import { emitPair, emitTransform, type PostTransform, postTransformOf } from './scores.ts'
import { readTrees, readTreesByRoots, type TreeFile } from './tree-file.ts'
import { type Named, type TreeTables, treeTables } from './tree-tables.ts'

function emitTrees(
  context: LowerContext,
  x: Tensor,
  tables: TreeTables,
  targets: number,
  aggregate: number,
  { nodes, leaves }: Pick<TreeTables, 'nodes' | 'leaves'> = tables,
): Tensor {
  const [rows, features] = x.dims
  if (tables.featureMax >= features)
    throw mismatch(context, 'features for its trees, at least', `${tables.featureMax + 1}`, `${features}`)
  const { treeCount, nodeCount, depth, missing, single, dense } = tables
  const counts = { rows, features, trees: treeCount, nodes: nodeCount, targets }
  const params = { ...counts, depth, aggregate, missing, single, dense }
  const operands = [x, ...[tables.trees, nodes, leaves].map(table => context.graph.constant(table))]
  return context.graph.emit('tree-ensemble', context.op.name, params, operands, [rows, targets], 'float32')
}

function baseValues(context: LowerContext): ArrayLike<number> {
  const { attributes } = context.op
  return attributes.tensor('base_values_as_tensor')?.data ?? attributes.floats('base_values') ?? []
}

export const treeEnsembleRegressor: Lowering = context => {
  const way = wordOf(context, 'aggregate_function', aggregateWords, 'SUM')
  return regression(context, way, postTransformOf(context), targets => readTrees(context, 'target', targets))
}

/**
 * The words of opset 5's numbers. The specification has SOFTMAX 1 and LOGISTIC 2; onnxruntime, with which exporters test, has
 * them as they are here.
 */
const aggregateWords = ['AVERAGE', 'SUM', 'MIN', 'MAX'] as const
const transformWords = ['NONE', 'LOGISTIC', 'SOFTMAX', 'SOFTMAX_ZERO', 'PROBIT'] as const

export const treeEnsemble: Lowering = context => {
  const { attributes } = context.op
  const way = aggregateWords[attributes.int('aggregate_function', 1)]
  const transform = transformWords[attributes.int('post_transform', 0)]
  if (!way || !transform) throw opError(context, 'has an unknown aggregate_function or post_transform')
  return regression(context, way, transform, targets => readTreesByRoots(context, targets))
}

function regression(
  context: LowerContext,
  way: (typeof aggregateWords)[number],
  transform: PostTransform,
  read: (targets: number) => TreeFile,
): Tensor[] {
  const targets = context.op.attributes.int('n_targets', 0)
  if (!(targets >= 1 && targets <= limits.labelsMax)) {
    throw opError(context, `has ${targets} targets; check the model file`)
  }
  const tables = treeTables(context, targets, () => read(targets))
  const aggregate = way === 'MIN' ? treeAggregates.min : way === 'MAX' ? treeAggregates.max : treeAggregates.sum
  const x = rowsOf(context)
  const sums = emitTrees(context, x, tables, targets, aggregate)
  const scores = way === 'AVERAGE' ? emitWith(context, 'div', sums, tables.treeCount) : sums
  const base = baseValues(context)
  const based = base.length === targets ? emitBinary(context, 'add', scores, floats(context, base)) : scores
  // One target has its base value always, one of several only where a leaf names it.
  const plain = targets === 1 || base.length !== targets
  const shown = plain ? based : keepNamed(context, based, tables.named, namedBy(context, x, tables, targets))
  return [emitTransform(context, shown, transform)]
}

/** 1 for the targets that a leaf of the row names [rows, targets], where rows differ in that. */
function namedBy(context: LowerContext, x: Tensor, tables: TreeTables, targets: number): Tensor | undefined {
  if (!tables.ones) return undefined
  return emitTrees(context, x, tables, targets, treeAggregates.max, tables.ones)
}

/** Scores [rows, n], 0 for those that no leaf names. */
function keepNamed(context: LowerContext, scores: Tensor, named: readonly Named[], mask: Tensor | undefined): Tensor {
  if (named.every(one => one === 'always')) return scores
  const fixed = floats(
    context,
    named.map(one => Number(one === 'always')),
    [1, named.length],
  )
  const zero = floats(context, [0], [1, 1])
  return emitWhere(context, mask ?? fixed, scores, zero)
}

export const treeEnsembleClassifier: Lowering = context => {
  const labels = classLabels(context, 'classlabels_strings', 'classlabels_int64s')
  const classes = labelCount(labels)
  if (classes === 0) throw opError(context, 'names no classes; check the model file')
  const tables = treeTables(context, classes, () => readTrees(context, 'class', classes))
  const x = rowsOf(context)
  const sums = emitTrees(context, x, tables, classes, treeAggregates.sum)
  const named = namedBy(context, x, tables, classes)
  const part: Part = { context, tables, labels, transform: postTransformOf(context), base: baseValues(context) }
  if (classes > 2) return manyClasses(part, sums, named)
  return classes === 2 ? twoClasses(part, sums, named) : oneClass(part, sums)
}

interface Part {
  context: LowerContext
  tables: TreeTables
  labels: ClassLabels
  transform: PostTransform
  base: ArrayLike<number>
}

/** The label is the largest score's of the classes that have one. */
function manyClasses({ context, tables, labels, transform, base }: Part, sums: Tensor, named?: Tensor): Tensor[] {
  const classes = sums.dims[1]
  if (base.length > classes) throw mismatch(context, 'base values for', `${classes} classes`, `${base.length}`)
  const all = Array.from({ length: classes }, (_, id) => base[id] ?? 0)
  const scores = base.length > 0 ? emitBinary(context, 'add', sums, floats(context, all)) : sums
  const based = all.map((_, id) => id < base.length || tables.named[id] === 'always')
  const fixed = floats(context, based.map(Number))
  const known = named ? emitBinary(context, 'max', named, fixed) : fixed
  const nothing = floats(context, [Number.NEGATIVE_INFINITY], [])
  const ranked = based.every(Boolean) ? scores : emitWhere(context, known, scores, nothing)
  return [emitLabels(context, emitArgMax(context, ranked), labels), emitTransform(context, scores, transform)]
}

function column(context: LowerContext, x: Tensor, index: number): Tensor {
  const [rows, columns] = x.dims
  return emitView(context, x, [rows, 1], { offset: index, strides: [columns, 1] })
}

/** A score for the label, and both classes' scores. */
interface Decided {
  decisive: Tensor
  scores: Tensor
}

/**
 * Weights for one class alone are of the second class: its label is for scores above 0, or 1/2 where no weight is
 * negative. Otherwise the labels are 0 and 1 whatever the classes are called.
 */
function twoClasses(part: Part, sums: Tensor, named?: Tensor): Tensor[] {
  const { context, tables, labels } = part
  const alone = tables.ids.size === 1
  const columns = {
    first: column(context, sums, 0),
    second: column(context, sums, 1),
    firstNamed: named && tables.named[0] === 'sometimes' ? column(context, named, 0) : undefined,
  }
  if (part.base.length > 2) throw mismatch(context, 'base values for', 'two classes', `${part.base.length}`)
  const decided = pick(
    context,
    named && tables.named[1] === 'sometimes' ? column(context, named, 1) : tables.named[1],
    () => withSecond(part, columns),
    () => withoutSecond(part, columns),
  )
  const bound = alone && tables.positive ? 0.5 : 0
  const own: ClassLabels = 'strings' in labels ? labels : { integers: alone ? labels.integers : [0, 1] }
  return [emitChoice(context, decided.decisive, bound, own), decided.scores]
}

/** The sums of two classes [rows, 1], and 1 where a leaf names the first, where rows differ in that. */
interface Columns {
  first: Tensor
  second: Tensor
  firstNamed: Tensor | undefined
}

function pick(context: LowerContext, condition: Tensor | Named, yes: () => Decided, no: () => Decided): Decided {
  if (typeof condition === 'string') return condition === 'never' ? no() : yes()
  const [a, b] = [yes(), no()]
  return {
    decisive: emitWhere(context, condition, a.decisive, b.decisive),
    scores: emitWhere(context, condition, a.scores, b.scores),
  }
}

/** The row's leaves name the second class. */
function withSecond({ context, tables, transform, base }: Part, sums: Columns): Decided {
  const { first, second, firstNamed } = sums
  let [left, right] = [first, second]
  if (base.length === 1) left = emitWith(context, 'add', first, base[0])
  if (base.length === 2) {
    // As onnxruntime has it: the second base value, and the first class' score.
    right = emitWith(context, 'add', first, base[1])
    left = emitUnary(context, right, 'neg')
  }
  const shown = base.length > 0 ? keepNamed(context, left, tables.named.slice(0, 1), firstNamed) : left
  return { decisive: right, scores: emitTransform(context, emitConcat(context, [shown, right], 1), transform) }
}

/** They do not: the first class' score stands for both. */
function withoutSecond({ context, tables, transform, base }: Part, sums: Columns): Decided {
  const { first, firstNamed } = sums
  const based = base.length > 0 ? emitWith(context, 'add', first, base[0]) : first
  const score = base.length > 0 ? keepNamed(context, based, tables.named.slice(0, 1), firstNamed) : first
  if (base.length === 2) {
    const none = keepNamed(context, first, ['never'], undefined)
    return { decisive: score, scores: emitTransform(context, emitConcat(context, [score, none], 1), transform) }
  }
  if (transform === 'PROBIT') throw unsupported(context, 'transforms one score of two classes by PROBIT')
  const way = tables.ids.size === 1 && tables.positive ? 'complement' : 'opposite'
  return { decisive: score, scores: emitPair(context, score, way, transform) }
}

/** Its score, and the label 1 where it is above 0, else 0. */
function oneClass({ context, labels, transform, base }: Part, sums: Tensor): Tensor[] {
  if ('strings' in labels) throw unsupported(context, 'has one class of strings')
  const scores = base.length === 1 ? emitWith(context, 'add', sums, base[0]) : sums
  return [emitChoice(context, scores, 0, { integers: [0, 1] }), emitTransform(context, scores, transform)]
}
