/**
 * The attributes of a tree ensemble as nodes that lead to each other; every place and index that comes from the file is
 * checked here.
 *
 * Source: ai.onnx.ml opsets 1, 3 and 5; before 5 the first node that is listed of a tree is its root, as onnxruntime has it.
 */
import { type LowerContext, mismatch, opError, unsupported } from '../../lowering.ts'
import { floatsAttribute } from './rows.ts'

/** One branch or leaf of the file. */
export interface FileNode {
  mode: string
  feature: number
  threshold: number
  missing: boolean
  /** Places in the list of nodes; -1 of a leaf. */
  no: number
  yes: number
  /** Target and weight of each entry, of a leaf. */
  entries: [number, number][]
}

export interface TreeFile {
  nodes: FileNode[]
  /** Places of the trees' first nodes. */
  roots: number[]
}

/**
 * @param prefix of the attributes of the leaves: `target` or `class`
 * @param targets how many there are
 * @throws PeerError MODEL_BAD_OP with what is wrong in the attributes
 */
export function readTrees(context: LowerContext, prefix: 'target' | 'class', targets: number): TreeFile {
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
  const placeOf = indexNodes(context, trees, ids)
  const child = (tree: number, node: number): number => {
    const place = placeOf(tree, node)
    if (place === undefined) throw opError(context, `leads to node ${node} of tree ${tree}, which is not there`)
    return place
  }
  const roots: number[] = []
  const nodes = modes.map((mode, i): FileNode => {
    if (i === 0 || trees[i] !== trees[i - 1]) roots.push(i)
    const own = { mode, feature: features[i], threshold: values[i], missing: tracks[i] === 1, entries: [] }
    if (mode === 'LEAF') return { ...own, no: -1, yes: -1 }
    if (!(features[i] >= 0)) throw opError(context, `has the feature ${features[i]}; check the model file`)
    return { ...own, no: child(trees[i], no[i]), yes: child(trees[i], yes[i]) }
  })
  readEntries(context, prefix, targets, nodes, placeOf)
  return { nodes, roots }
}

type PlaceOf = (tree: number, node: number) => number | undefined

function indexNodes(context: LowerContext, trees: readonly number[], ids: readonly number[]): PlaceOf {
  const byTree = new Map<number, Map<number, number>>()
  ids.forEach((id, i) => {
    const known = byTree.get(trees[i])
    const places = known ?? new Map<number, number>()
    if (!known) byTree.set(trees[i], places)
    if (places.has(id)) throw opError(context, 'lists a node twice; check the model file')
    places.set(id, i)
  })
  return (tree, node) => byTree.get(tree)?.get(node)
}

function readEntries(
  context: LowerContext,
  prefix: string,
  targets: number,
  nodes: readonly FileNode[],
  placeOf: PlaceOf,
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
    const place = placeOf(trees[i], ids[i])
    if (place === undefined) {
      throw opError(context, `has a weight for node ${ids[i]} of tree ${trees[i]}, which is not there`)
    }
    if (!(target >= 0 && target < targets)) {
      throw mismatch(context, 'targets within', `[0, ${targets - 1}]`, `${target}`)
    }
    if (Number.isNaN(weights[i])) throw opError(context, 'has a weight that is no number; check the model file')
    nodes[place].entries.push([target, weights[i]])
  })
}

/** The modes of opset 5 by number. */
const modeNames = ['BRANCH_LEQ', 'BRANCH_LT', 'BRANCH_GTE', 'BRANCH_GT', 'BRANCH_EQ', 'BRANCH_NEQ', 'BRANCH_MEMBER']

/**
 * The same of the operator TreeEnsemble, opset 5: branches and leaves in lists of their own, which the branches' sides and
 * the list of roots count.
 * @throws PeerError MODEL_BAD_OP; MODEL_UNSUPPORTED for branches by membership
 */
export function readTreesByRoots(context: LowerContext, targets: number): TreeFile {
  const { attributes } = context.op
  const list = (name: string) => attributes.ints(name) ?? []
  const values = (name: string): ArrayLike<number> => attributes.tensor(name)?.data ?? []
  const [modes, splits, weights] = [values('nodes_modes'), values('nodes_splits'), values('leaf_weights')]
  const [features, tracks, ids] = [
    list('nodes_featureids'),
    list('nodes_missing_value_tracks_true'),
    list('leaf_targetids'),
  ]
  const sides = { yes: list('nodes_truenodeids'), no: list('nodes_falsenodeids') }
  const leaf = { yes: list('nodes_trueleafs'), no: list('nodes_falseleafs') }
  const lists = [splits, features, sides.yes, sides.no, leaf.yes, leaf.no]
  if (modes.length === 0 || lists.some(other => other.length !== modes.length) || ids.length !== weights.length) {
    const got = `${lists.map(l => l.length)}; ${ids.length}, ${weights.length}`
    throw mismatch(context, 'as many of each attribute of its nodes, and of its leaves,', `${modes.length}`, got)
  }
  const leaves: FileNode[] = []
  const addLeaf = (place: number): number => {
    const [target, weight] = [ids[place], weights[place]]
    if (!(target >= 0 && target < targets))
      throw mismatch(context, 'targets within', `[0, ${targets - 1}]`, `${target}`)
    if (Number.isNaN(weight)) throw opError(context, 'has a weight that is no number; check the model file')
    const own = { mode: 'LEAF', feature: 0, threshold: 0, missing: false, no: -1, yes: -1 }
    return modes.length + leaves.push({ ...own, entries: [[target, weight]] }) - 1
  }
  const child = (side: 'yes' | 'no', i: number): number => {
    const place = sides[side][i]
    const most = leaf[side][i] !== 0 ? ids.length : modes.length
    if (!(place >= 0 && place < most)) throw opError(context, `leads to node ${place}, which is not there`)
    return leaf[side][i] !== 0 ? addLeaf(place) : place
  }
  const nodes = Array.from(modes, (number, i): FileNode => {
    const mode = modeNames[number] ?? `${number}`
    if (mode === 'BRANCH_MEMBER') throw unsupported(context, 'branches by membership')
    if (!(features[i] >= 0)) throw opError(context, `has the feature ${features[i]}; check the model file`)
    const own = { mode, feature: features[i], threshold: splits[i], missing: tracks[i] === 1, entries: [] }
    return { ...own, no: child('no', i), yes: child('yes', i) }
  })
  const roots = [...list('tree_roots')]
  if (roots.length === 0 || roots.some(root => !(root >= 0 && root < modes.length))) {
    throw mismatch(context, 'roots within', `[0, ${modes.length - 1}]`, `[${roots.slice(0, 8)}]`)
  }
  return { nodes: [...nodes, ...leaves], roots }
}
