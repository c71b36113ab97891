/**
 * The attributes of a tree ensemble -> the tables of the kernel tree-ensemble.
 *
 * Every mode of a branch comes down to `x <= threshold`, in float32, with NaN to one side or the other: a threshold that
 * must not be reached becomes the float before it, `>` and `>=` change sides, and `=` is two branches that share a side.
 *
 * Invariant: children come after their parents; a node is reached once, but for the side that two branches share; every
 * place and index that comes from the file is checked.
 * Source: ai.onnx.ml opset 1 and 3; the first node that is listed of a tree is its root, as onnxruntime has it.
 */
import type { Constant } from '../../../tensor/constant.ts'
import { type LowerContext, mismatch, opError } from '../../lowering.ts'
import { floatsAttribute } from './rows.ts'

/** Whether the leaves that a row reaches name a target: all rows, none, or some. */
export type Named = 'always' | 'never' | 'sometimes'

export interface TreeTables {
  readonly trees: Constant
  readonly nodes: Constant
  readonly leaves: Constant
  /** The same nodes and leaves with 1 for every weight: their largest says which targets are named. */
  readonly ones: { readonly nodes: Constant; readonly leaves: Constant }
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

/** One branch or leaf of the file. */
interface FileNode {
  mode: string
  feature: number
  threshold: number
  missing: boolean
  no: number
  yes: number
  /** Target and weight of each entry, of a leaf. */
  entries: [number, number][]
}

/** The largest float32 that is less than a number; NaN where there is none. */
export function below(value: number): number {
  const near = Math.fround(value)
  if (near < value) return near
  if (!(near > Number.NEGATIVE_INFINITY)) return Number.NaN
  if (near === 0) return -(2 ** -149)
  bits.setFloat32(0, near)
  bits.setInt32(0, bits.getInt32(0) + (near > 0 ? -1 : 1))
  return bits.getFloat32(0)
}

const bits = new DataView(new ArrayBuffer(4))

/** The largest float32 that is not more than a number. */
function atMost(value: number): number {
  const near = Math.fround(value)
  return near > value ? below(value) : near
}

/** `x <= threshold`, or NaN with missing 1, goes to yes: to a side of the file's node, or to a second branch. */
interface Branch {
  threshold: number
  missing: number
  no: 'no' | 'yes'
  yes: 'no' | 'yes' | Branch
}

function branchOf({ mode, threshold: t, missing }: FileNode, context: LowerContext): Branch {
  const [tracked, untracked] = missing ? [1, 0] : [0, 1]
  if (mode === 'BRANCH_LEQ') return { threshold: atMost(t), missing: tracked, no: 'no', yes: 'yes' }
  if (mode === 'BRANCH_LT') return { threshold: below(t), missing: tracked, no: 'no', yes: 'yes' }
  if (mode === 'BRANCH_GT') return { threshold: atMost(t), missing: untracked, no: 'yes', yes: 'no' }
  if (mode === 'BRANCH_GTE') return { threshold: below(t), missing: untracked, no: 'yes', yes: 'no' }
  if (mode !== 'BRANCH_EQ' && mode !== 'BRANCH_NEQ') {
    throw opError(context, `has the mode "${mode}", which ONNX does not know; check the model file`)
  }
  const equal = mode === 'BRANCH_EQ'
  const [same, other]: ('no' | 'yes')[] = equal ? ['yes', 'no'] : ['no', 'yes']
  // NaN equals nothing; only where = tracks missing values does it go to the side of the equal.
  const nan = equal && missing ? 1 : 0
  if (Math.fround(t) !== t) return { threshold: Number.NaN, missing: nan, no: other, yes: same }
  return { threshold: t, missing: nan, no: other, yes: { threshold: below(t), missing: 0, no: same, yes: other } }
}

const made = new WeakMap<object, TreeTables>()

/**
 * @param prefix of the attributes of the leaves: `target` or `class`
 * @param targets how many there are
 * @throws PeerError MODEL_BAD_OP with what is wrong in the attributes
 */
export function treeTables(context: LowerContext, prefix: 'target' | 'class', targets: number): TreeTables {
  const known = made.get(context.op.attributes)
  if (known) return known
  const { nodes, roots } = readNodes(context)
  readEntries(context, prefix, targets, nodes)
  const tables = layOut(context, [...nodes.values()], roots, targets)
  made.set(context.op.attributes, tables)
  return tables
}

const keyOf = (tree: number, node: number) => `${tree} ${node}`

function readNodes(context: LowerContext) {
  const { attributes } = context.op
  const list = (name: string) => attributes.ints(`nodes_${name}`) ?? []
  const modes = attributes.strings('nodes_modes') ?? []
  const [trees, ids, features] = [list('treeids'), list('nodeids'), list('featureids')]
  const [yes, no, tracks] = [list('truenodeids'), list('falsenodeids'), list('missing_value_tracks_true')]
  const values = attributes.tensor('nodes_values_as_tensor')?.data ?? attributes.floats('nodes_values') ?? []
  const lists = [trees, ids, features, yes, no, values]
  if (modes.length === 0 || lists.some(other => other.length !== modes.length)) {
    throw mismatch(context, 'as many of each attribute of its nodes,', `${modes.length}`, `${lists.map(l => l.length)}`)
  }
  const places = new Map(modes.map((_, i) => [keyOf(trees[i], ids[i]), i]))
  if (places.size !== modes.length) throw opError(context, 'lists a node twice; check the model file')
  const placeOf = (tree: number, node: number): number => {
    const place = places.get(keyOf(tree, node))
    if (place === undefined) throw opError(context, `leads to node ${node} of tree ${tree}, which is not there`)
    return place
  }
  const nodes = new Map<string, FileNode>()
  const roots: number[] = []
  modes.forEach((mode, i) => {
    if (i === 0 || trees[i] !== trees[i - 1]) roots.push(i)
    const leaf = mode === 'LEAF'
    if (!leaf && !(features[i] >= 0)) throw opError(context, `has the feature ${features[i]}; check the model file`)
    nodes.set(keyOf(trees[i], ids[i]), {
      ...{ mode, feature: features[i], threshold: values[i], missing: tracks[i] === 1, entries: [] },
      no: leaf ? -1 : placeOf(trees[i], no[i]),
      yes: leaf ? -1 : placeOf(trees[i], yes[i]),
    })
  })
  return { nodes, roots }
}

function readEntries(
  context: LowerContext,
  prefix: string,
  targets: number,
  nodes: ReadonlyMap<string, FileNode>,
): void {
  const { attributes } = context.op
  const list = (name: string) => attributes.ints(`${prefix}_${name}`) ?? []
  const [trees, ids, of] = [list('treeids'), list('nodeids'), list('ids')]
  const tensor = attributes.tensor(`${prefix}_weights_as_tensor`)
  const weights = tensor ? tensor.data : floatsAttribute(context, `${prefix}_weights`)
  if ([trees, ids, of].some(other => other.length !== weights.length)) {
    throw mismatch(context, 'as many of each attribute of its leaves,', `${weights.length}`, `${of.length}`)
  }
  of.forEach((target, i) => {
    const node = nodes.get(keyOf(trees[i], ids[i]))
    if (!node) throw opError(context, `has a weight for node ${ids[i]} of tree ${trees[i]}, which is not there`)
    if (!(target >= 0 && target < targets)) {
      throw mismatch(context, 'targets within', `[0, ${targets - 1}]`, `${target}`)
    }
    if (Number.isNaN(weights[i])) throw opError(context, 'has a weight that is no number; check the model file')
    node.entries.push([target, weights[i]])
  })
}

function layOut(context: LowerContext, file: FileNode[], roots: readonly number[], targets: number): TreeTables {
  const [trees, nodes, leaves]: number[][] = [[], [], []]
  const reached = new Uint8Array(file.length)
  let [depth, missing, featureMax] = [0, 0, -1]
  const naming = new Set<number>()
  const always = new Set<number>()
  for (const root of roots) {
    const first = nodes.length / 5
    const tree = walkTree(context, file, root, reached, nodes, leaves)
    trees.push(first, tree.depth)
    depth = Math.max(depth, tree.depth)
    for (const id of tree.some) naming.add(id)
    for (const id of tree.all) always.add(id)
  }
  const entries: number[] = []
  for (let at = 0; at < nodes.length; at += 5) {
    if (nodes[at] < 0) entries.push(leaves[nodes[at + 2]])
    else featureMax = Math.max(featureMax, nodes[at])
    missing = Math.max(missing, nodes[at + 4])
  }
  const weights = file.flatMap(node => node.entries.map(([, weight]) => weight))
  const table = (list: readonly number[]): Constant => {
    const data = Float32Array.from(list)
    return { dims: [data.length], type: 'float32', data }
  }
  const named = Array.from(
    { length: targets },
    (_, id): Named => (always.has(id) ? 'always' : naming.has(id) ? 'sometimes' : 'never'),
  )
  return {
    ...{ trees: table(trees), nodes: table(nodes), leaves: table(leaves), ones: unitWeights(nodes, leaves, table) },
    ...{ treeCount: roots.length, nodeCount: nodes.length / 5, depth, missing, featureMax, named, ids: naming },
    single: targets === 1 && entries.every(count => count === 1) ? 1 : 0,
    dense: isDense(nodes, leaves, targets) ? 1 : 0,
    positive: weights.every(weight => weight >= 0),
  }
}

function isDense(nodes: readonly number[], leaves: readonly number[], targets: number): boolean {
  for (let at = 0; at < nodes.length; at += 5) {
    const place = nodes[at + 2]
    if (nodes[at] >= 0) continue
    if (leaves[place] !== targets) return false
    for (let target = 0; target < targets; target++) if (leaves[place + 1 + 2 * target] !== target) return false
  }
  return true
}

function unitWeights(nodes: readonly number[], leaves: readonly number[], table: (list: number[]) => Constant) {
  const [n, l] = [nodes.slice(), leaves.slice()]
  for (let at = 0; at < n.length; at += 5) {
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

/** Lays one tree by levels, so that siblings are neighbours. */
function walkTree(
  context: LowerContext,
  file: readonly FileNode[],
  root: number,
  reached: Uint8Array,
  nodes: number[],
  leaves: number[],
) {
  const base = nodes.length / 5
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
  const some = new Set<number>()
  let all: Set<number> | undefined
  rowOf(root, 0, false)
  for (let at = 0; at < queue.length; at++) {
    const { place, steps, second } = queue[at]
    const node = file[place]
    depth = Math.max(depth, steps)
    if (node.mode === 'LEAF') {
      nodes.push(-1, node.entries[0]?.[1] ?? 0, leaves.length, 0, 0)
      leaves.push(node.entries.length, ...node.entries.flat())
      const ids = new Set(node.entries.map(([target]) => target))
      for (const id of ids) some.add(id)
      all = all ? new Set([...all].filter(id => ids.has(id))) : ids
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
  return { depth, some, all: all ?? new Set<number>() }
}
