/** Cases of tree ensembles: forests of random shapes over values that meet their thresholds, and those beside them. */
import type { Prng } from '../../../src/base/prng.ts'
import { treeAggregates } from '../../../src/compute/kernels/tree-ensemble.ts'
import { exact, input, type KernelCase, one, sum, weight } from './case.ts'

/** What values and thresholds are drawn from, so that they meet: 1 and its neighbours, both zeros, the smallest numbers. */
const meeting = [
  ...[-2, -1, -0.5, 0, -0, 0.5, 1, 1 + 2 ** -23, 1 - 2 ** -24, 2, 2 ** -149, -(2 ** -149), 2 ** -126],
  ...[3e38, -3e38, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
]

interface ForestShape {
  features: number
  trees: number
  targets: number
  /** Steps that a walk takes at most. */
  depth: number
  /** Branches, and not leaves, in so many of eight places above that depth. */
  bushy?: number
  missing?: boolean
  single?: boolean
  dense?: boolean
}

/** The operands trees, nodes, leaves of a random forest; some branches of a forest share their children. */
export function randomForest(random: Prng, shape: ForestShape) {
  const { features, targets, bushy = 6 } = shape
  const [trees, nodes, leaves]: number[][] = [[], [], []]
  const leaf = (): number[] => {
    const place = leaves.length
    const entries = shape.single ? 1 : shape.dense ? targets : random.int(4)
    leaves.push(entries)
    for (let i = 0; i < entries; i++) leaves.push(shape.dense ? i : random.int(targets), random.normal())
    return [-1, entries > 0 ? leaves[place + 2] : 0, place, 0, 0]
  }
  const grow = (left: number): number => {
    const index = nodes.length / 5
    const branch = left > 0 && features > 0 && random.int(8) < bushy
    if (!branch) {
      nodes.push(...leaf())
      return index
    }
    const threshold = random.int(20) ? random.pick(meeting) : Number.NaN
    nodes.push(random.int(features), threshold, 0, 0, shape.missing ? random.int(2) : 0)
    const no = grow(left - 1)
    nodes[index * 5 + 2] = no
    nodes[index * 5 + 3] = random.int(10) ? grow(left - 1) : no
    return index
  }
  for (let tree = 0; tree < shape.trees; tree++) trees.push(grow(shape.depth), shape.depth)
  return { trees, nodes, leaves }
}

export function treeEnsembleCases(random: Prng): KernelCase[] {
  const shapes: [number, ForestShape][] = [
    [1, { features: 1, trees: 1, targets: 1, depth: 1, single: true }],
    [7, { features: 3, trees: 4, targets: 1, depth: 3, single: true }],
    [9, { features: 5, trees: 6, targets: 1, depth: 5, missing: true, single: true }],
    [33, { features: 4, trees: 9, targets: 3, depth: 4 }],
    [16, { features: 6, trees: 5, targets: 5, depth: 9, missing: true }],
    [40, { features: 9, trees: 2, targets: 2, depth: 12, bushy: 4, missing: true }],
    [300, { features: 2, trees: 20, targets: 1, depth: 6, missing: true, single: true }],
    [19, { features: 1200, trees: 3, targets: 1, depth: 7, missing: true, single: true }],
    [27, { features: 4, trees: 11, targets: 10, depth: 5, dense: true }],
    [9, { features: 4, trees: 3, targets: 3, depth: 5, dense: true }],
    [5, { features: 2, trees: 3, targets: 2, depth: 0 }],
    [3, { features: 0, trees: 2, targets: 1, depth: 0, single: true }],
    [0, { features: 2, trees: 3, targets: 1, depth: 2 }],
    [4, { features: 2, trees: 0, targets: 2, depth: 0 }],
  ]
  return shapes.flatMap(([rows, shape]) =>
    Object.entries(treeAggregates).map(([label, aggregate]) => {
      const { features, targets, depth } = shape
      const { trees, nodes, leaves } = randomForest(random, shape)
      const x = Float32Array.from({ length: rows * features }, () =>
        random.int(6) ? random.pick(meeting) : random.int(2) ? Number.NaN : random.normal(),
      )
      const counts = { rows, features, trees: trees.length / 2, nodes: nodes.length / 5, targets, depth, aggregate }
      const flags = {
        missing: Number(shape.missing ?? false),
        single: Number(shape.single ?? false),
        dense: Number(shape.dense ?? false),
      }
      const tables = [trees, nodes, leaves].map(table => weight(Float32Array.from(table.length ? table : [0])))
      return one(
        'tree-ensemble',
        `${label} ${rows} x ${features} by ${shape.trees} of ${depth} for ${targets}`,
        { ...counts, ...flags },
        [input(x), ...tables],
        rows * targets,
        label === 'sum' ? sum(4) : exact,
      )
    }),
  )
}
