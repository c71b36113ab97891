/**
 * The nodes of a tree ensemble -> the tables of the kernel tree-ensemble.
 *
 * Invariant: children come after their parents; a node is reached once, but for the side that the two branches of an `=`
 * share; all places are integers that float32 holds.
 */
import { treeNodeFloats } from '../../../kernels/tree-ensemble.ts'
import type { Constant } from '../../../tensor/constant.ts'
import { carrierIntegerMax } from '../../../tensor/element-type.ts'
import { type LowerContext, opError, unsupported } from '../../lowering.ts'
import { type Branch, branchOf } from './tree-branches.ts'
import type { FileNode, TreeFile } from './tree-file.ts'

/** Whether the leaves that a row reaches name a target: all rows, none, or some. */
export type Named = 'always' | 'never' | 'sometimes'

export interface TreeTables {
  readonly trees: Constant
  readonly nodes: Constant
  readonly leaves: Constant
  /** The same nodes and leaves with 1 for every weight, where rows differ in what their leaves name: the largest tells. */
  readonly ones: { readonly nodes: Constant; readonly leaves: Constant } | undefined
  readonly treeCount: number
  readonly nodeCount: number
  readonly depth: number
  readonly missing: number
  readonly single: number
  /** 1: every leaf names all targets, in order. */
  readonly dense: number
  /** The highest feature of a branch; -1 where there is none. */
  readonly featureMax: number
  readonly named: readonly Named[]
  /** Targets that some leaf names. */
  readonly ids: ReadonlySet<number>
  /** No weight is negative. */
  readonly positive: boolean
}

const made = new WeakMap<object, TreeTables>()

/**
 * The tables of an op, made once.
 * @param targets how many there are
 * @param read gives the file's nodes
 * @throws PeerError MODEL_BAD_OP, MODEL_UNSUPPORTED
 */
export function treeTables(context: LowerContext, targets: number, read: () => TreeFile): TreeTables {
  const known = made.get(context.op.attributes)
  if (known) return known
  const tables = layOut(context, read(), targets)
  made.set(context.op.attributes, tables)
  return tables
}

function layOut(context: LowerContext, { nodes: file, roots }: TreeFile, targets: number): TreeTables {
  const layout: Layout = {
    file,
    nodes: [],
    leaves: [],
    reached: new Uint8Array(file.length),
    counts: new Int32Array(targets),
    seenAt: new Int32Array(targets).fill(-1),
  }
  const { nodes, leaves } = layout
  const trees: number[] = []
  const named = new Array<Named>(targets).fill('never')
  let depth = 0
  for (const root of roots) {
    const first = nodes.length / treeNodeFloats
    const tree = walkTree(context, layout, root)
    trees.push(first, tree.depth)
    depth = Math.max(depth, tree.depth)
    for (const id of tree.ids) {
      if (layout.counts[id] === tree.leaves) named[id] = 'always'
      else if (named[id] === 'never') named[id] = 'sometimes'
      layout.counts[id] = 0
    }
  }
  const most = Math.max(leaves.length, nodes.length / treeNodeFloats)
  if (most > carrierIntegerMax) {
    throw unsupported(context, `has a table of ${most} values in its leaves, where ${carrierIntegerMax} can be counted`)
  }
  let [missing, featureMax, single, positive] = [0, -1, targets === 1, true]
  for (let at = 0; at < nodes.length; at += treeNodeFloats) {
    if (nodes[at] >= 0) {
      featureMax = Math.max(featureMax, nodes[at])
      missing = Math.max(missing, nodes[at + 4])
      continue
    }
    const [place, entries] = [nodes[at + 2], leaves[nodes[at + 2]]]
    single &&= entries === 1
    for (let entry = 0; entry < entries; entry++) positive &&= leaves[place + 2 + 2 * entry] >= 0
  }
  return {
    ...{ trees: table(trees), nodes: table(nodes), leaves: table(leaves), treeCount: roots.length },
    ones: named.includes('sometimes') ? unitWeights(nodes, leaves) : undefined,
    ...{ nodeCount: nodes.length / treeNodeFloats, depth, missing, featureMax, named, positive },
    ids: new Set(named.flatMap((how, id) => (how === 'never' ? [] : [id]))),
    single: single ? 1 : 0,
    dense: isDense(nodes, leaves, targets) ? 1 : 0,
  }
}

function table(list: readonly number[]): Constant {
  const data = Float32Array.from(list)
  return { dims: [data.length], type: 'float32', data }
}

function isDense(nodes: readonly number[], leaves: readonly number[], targets: number): boolean {
  for (let at = 0; at < nodes.length; at += treeNodeFloats) {
    const place = nodes[at + 2]
    if (nodes[at] >= 0) continue
    if (leaves[place] !== targets) return false
    for (let target = 0; target < targets; target++) if (leaves[place + 1 + 2 * target] !== target) return false
  }
  return true
}

function unitWeights(nodes: readonly number[], leaves: readonly number[]) {
  const [n, l] = [nodes.slice(), leaves.slice()]
  for (let at = 0; at < n.length; at += treeNodeFloats) {
    if (n[at] >= 0) continue
    n[at + 1] = 1
    for (let entry = 0; entry < l[n[at + 2]]; entry++) l[n[at + 2] + 2 + 2 * entry] = 1
  }
  return { nodes: table(n), leaves: table(l) }
}

/** A place in the file's tree, or the second branch of one of its nodes, that waits for its row of the table. */
interface Waiting {
  index: number
  steps: number
  place: number
  second?: Branch
}

/** What is made of a file's nodes. */
interface Layout {
  file: readonly FileNode[]
  nodes: number[]
  leaves: number[]
  /** By node, whether some branch leads to it. */
  reached: Uint8Array
  /** By target, in how many leaves of the present tree it is named, and the last such leaf. */
  counts: Int32Array
  seenAt: Int32Array
}

/** Lays one tree by levels, so that siblings are neighbours. */
function walkTree(context: LowerContext, { file, nodes, leaves, reached, counts, seenAt }: Layout, root: number) {
  const base = nodes.length / treeNodeFloats
  const queue: Waiting[] = []
  const rows = new Map<number, Waiting>()
  const wait = (place: number, steps: number, second?: Branch): number => {
    const waiting = { index: base + queue.length, steps, place, second }
    queue.push(waiting)
    if (!second) rows.set(place, waiting)
    return waiting.index
  }
  const rowOf = (place: number, steps: number, mayShare: boolean): number => {
    const shared = mayShare ? rows.get(place) : undefined
    if (shared) {
      shared.steps = Math.max(shared.steps, steps)
      return shared.index
    }
    if (reached[place]++) throw opError(context, 'reaches a node twice; check the model file')
    return wait(place, steps)
  }
  let depth = 0
  const ids = new Set<number>()
  let leafCount = 0
  rowOf(root, 0, false)
  for (let at = 0; at < queue.length; at++) {
    const { place, steps, second } = queue[at]
    const node = file[place]
    depth = Math.max(depth, steps)
    if (node.mode === 'LEAF') {
      leafCount++
      nodes.push(-1, node.entries[0]?.[1] ?? 0, leaves.length, 0, 0)
      leaves.push(node.entries.length)
      for (const [target, weight] of node.entries) {
        leaves.push(target, weight)
        ids.add(target)
        if (seenAt[target] === place) continue
        seenAt[target] = place
        counts[target]++
      }
      continue
    }
    const branch = second ?? branchOf(node, context)
    const rowOfSide = (side: 'no' | 'yes') => rowOf(side === 'no' ? node.no : node.yes, steps + 1, second !== undefined)
    // A second branch comes before the side that it shares with the first.
    const again = typeof branch.yes === 'object' ? wait(place, steps + 1, branch.yes) : -1
    const no = rowOfSide(branch.no)
    const yes = typeof branch.yes === 'object' ? again : rowOfSide(branch.yes)
    nodes.push(node.feature, branch.threshold, no, yes, branch.missing)
  }
  return { depth, ids, leaves: leafCount }
}
