/** Tree ensembles as ONNX holds them, grown at random: every mode, thresholds that values meet, unequal depths. */
import type { Prng } from '../../../src/base/prng.ts'
import type { AttributeInit } from './make-model.ts'

export const branchModes = ['BRANCH_LEQ', 'BRANCH_LT', 'BRANCH_GTE', 'BRANCH_GT', 'BRANCH_EQ', 'BRANCH_NEQ'] as const

export interface TreesInit {
  prefix: 'target' | 'class'
  trees: number
  depth: number
  features: number
  /** Of the leaves' entries. */
  ids: readonly number[]
  modes?: readonly string[]
  /** Some branches send NaN to their true side. */
  missing?: boolean
  /** Entries of a leaf: one for each id, or one with an id at random, or of the tree's own id. */
  entries?: 'all' | 'one' | 'of-tree'
  weight?: () => number
  thresholds?: readonly number[]
  /** Every leaf lies at the full depth. */
  full?: boolean
  /** Thresholds and weights as tensors of float64. */
  doubles?: boolean
}

/** What values and thresholds are drawn from, so that they meet. */
export const meeting = [-2, -1, -0.5, 0, -0, 0.5, 1, 1 + 2 ** -23, 1 - 2 ** -24, 2, 3e38, 2 ** -126]

export function treeAttributes(random: Prng, init: TreesInit): Record<string, AttributeInit> {
  const { prefix, modes = branchModes, entries = 'one', thresholds = meeting, ids } = init
  const weight = init.weight ?? (() => random.normal())
  const nodes = { trees: [], ids: [], features: [], yes: [], no: [], missing: [] } as Record<string, number[]>
  const leaves = { trees: [], nodes: [], ids: [] } as Record<string, number[]>
  const [names, values, weights]: [string[], number[], number[]] = [[], [], []]
  for (let tree = 0; tree < init.trees; tree++) {
    let next = 0
    const grow = (left: number): number => {
      const id = next++
      const at = names.length
      const branch = left === init.depth || (left > 0 && (init.full === true || random.int(5) > 0))
      names.push(branch && left > 0 ? random.pick(modes) : 'LEAF')
      for (const [key, value] of Object.entries({ trees: tree, ids: id, yes: 0, no: 0 })) nodes[key].push(value)
      nodes.features.push(branch ? random.int(init.features) : 0)
      nodes.missing.push(random.int(2))
      values.push(branch ? random.pick(thresholds) : 0)
      if (names[at] !== 'LEAF') {
        nodes.yes[at] = grow(left - 1)
        nodes.no[at] = grow(left - 1)
        return id
      }
      const own = entries === 'all' ? ids : entries === 'one' ? [random.pick(ids)] : [ids[tree % ids.length]]
      for (const entry of own) {
        leaves.trees.push(tree)
        leaves.nodes.push(id)
        leaves.ids.push(entry)
        weights.push(Math.fround(weight()))
      }
      return id
    }
    grow(init.depth)
  }
  const numbers = (list: readonly number[], name: string): Record<string, AttributeInit> =>
    init.doubles
      ? { [`${name}_as_tensor`]: { tensor: { dims: [list.length], data: Float64Array.from(list) } } }
      : { [name]: { floats: list } }
  return {
    nodes_treeids: nodes.trees,
    nodes_nodeids: nodes.ids,
    nodes_featureids: nodes.features,
    nodes_truenodeids: nodes.yes,
    nodes_falsenodeids: nodes.no,
    nodes_modes: { strings: names },
    ...numbers(values, 'nodes_values'),
    ...(init.missing && { nodes_missing_value_tracks_true: nodes.missing }),
    [`${prefix}_treeids`]: leaves.trees,
    [`${prefix}_nodeids`]: leaves.nodes,
    [`${prefix}_ids`]: leaves.ids,
    ...numbers(weights, `${prefix}_weights`),
  }
}
