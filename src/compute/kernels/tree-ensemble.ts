/**
 * tree-ensemble: what the leaves of many decision trees say of each row, added up (or the least or largest of it).
 *
 * y[i,t] = sum (least, largest) of the weights for target t in the leaves that row i reaches, in the order of the trees;
 *          0 where none of these leaves names t.
 * At a branch a row goes to `yes` where x[i,feature] <= threshold, or where x[i,feature] is NaN and `missing` is 1; else to `no`.
 * Shapes: x [rows, features], trees [trees, 2]: the root's node, and the most steps from it to a leaf; nodes [nodes, 5]:
 *         feature, threshold, no, yes, missing; a leaf has feature -1, its first entry's weight for `threshold`, and in `no`
 *         where it lies in leaves; leaves: for each leaf how many entries it has, then each one's target and weight.
 *         y [rows, targets].
 *         A branch's children come after it, so that every walk ends. All but x are weights.
 * Numerics: comparisons of float32 as they are, subnormal numbers included, -0 equal to 0; a threshold that is NaN is
 *           above no number. Sums in the order of the trees from 0. Weights are not NaN.
 * Source: ONNX operators TreeEnsembleRegressor and TreeEnsembleClassifier, ai.onnx.ml opset 3; all of their branch modes
 *         come down to this one.
 */
import { defineKernel } from './contract.ts'

/** The values of the param `aggregate`. */
export const treeAggregates = { sum: 0, min: 1, max: 2 } as const

/** Floats of one node in the operand `nodes`. */
export const treeNodeFloats = 5

export const treeEnsemble = defineKernel({
  fields: {
    rows: 'u32',
    features: 'u32',
    trees: 'u32',
    nodes: 'u32',
    targets: 'u32',
    /** The most steps in any tree. */
    depth: 'u32',
    /** A value of `treeAggregates`. */
    aggregate: 'u32',
    /** 1: some branch sends NaN to `yes`. */
    missing: 'u32',
    /** 1: there is one target, and every leaf has exactly one entry. */
    single: 'u32',
    /** 1: every leaf names all targets once, in their order. */
    dense: 'u32',
  },
  operands: ['x', 'trees', 'nodes', 'leaves'],
  reference(p, [x, trees, nodes, leaves], y) {
    for (let row = 0; row < p.rows; row++) {
      const found = new Array<number | undefined>(p.targets)
      for (let tree = 0; tree < p.trees; tree++) {
        let node = treeNodeFloats * trees[2 * tree]
        while (nodes[node] >= 0) {
          const value = x[row * p.features + nodes[node]]
          const yes = value <= nodes[node + 1] || (Number.isNaN(value) && nodes[node + 4] === 1)
          node = treeNodeFloats * nodes[node + (yes ? 3 : 2)]
        }
        const leaf = nodes[node + 2]
        for (let entry = 0; entry < leaves[leaf]; entry++) {
          const [target, weight] = [leaves[leaf + 1 + 2 * entry], leaves[leaf + 2 + 2 * entry]]
          found[target] = join(p.aggregate, found[target], weight)
        }
      }
      for (let target = 0; target < p.targets; target++) y[row * p.targets + target] = found[target] ?? 0
    }
  },
  cost(p) {
    return {
      flops: p.rows * p.trees * p.depth,
      bytes: 4 * (p.rows * (p.features + p.targets) + treeNodeFloats * p.nodes),
    }
  },
})

function join(aggregate: number, before: number | undefined, weight: number): number {
  if (before === undefined) return weight
  if (aggregate === treeAggregates.min) return Math.min(before, weight)
  return aggregate === treeAggregates.max ? Math.max(before, weight) : before + weight
}
