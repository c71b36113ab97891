/**
 * The attributes of a tree ensemble as nodes that lead to each other; every place and index that comes from the file is
 * checked here.
 *
 * Source: ai.onnx.ml opset 1 and 3; the first node that is listed of a tree is its root, as onnxruntime has it.
 */
import { type LowerContext, mismatch, opError } from '../../lowering.ts'
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
