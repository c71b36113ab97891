/**
 * A table from numbers to numbers: a search tree over the sorted keys, which the kernel for tree ensembles walks; and a table
 * from strings, which are places already, to numbers: a gather.
 */
import type { Tensor } from '../../../engine/graph.ts'
import { treeAggregates } from '../../../kernels/tree-ensemble.ts'
import { elementsOf } from '../../../tensor/shape.ts'
import type { LowerContext } from '../../lowering.ts'
import { floats } from '../../lowering.ts'
import { below } from './tree-branches.ts'

/** Pairs of a key and its value, of equal keys the first; and what everything else becomes. */
export interface Lookup {
  readonly pairs: readonly (readonly [key: number, value: number])[]
  readonly fallback: number
}

/** Each element of x by a table of numbers; keys that float32 does not hold match nothing, NaN matches NaN. */
export function emitLookup(context: LowerContext, x: Tensor, { pairs, fallback }: Lookup): Tensor {
  const values = new Map<number, number>()
  for (const [key, value] of pairs) if (!values.has(key + 0)) values.set(key + 0, value)
  const keys = [...values.keys()].filter(key => Math.fround(key) === key).sort((a, b) => a - b)
  const nodes: number[] = []
  const leaves: number[] = []
  const leaf = (value: number): number => {
    nodes.push(-1, value, leaves.length, 0, 0)
    leaves.push(1, 0, value)
    return nodes.length / 5 - 1
  }
  const branch = (threshold: number, missing: number, no: () => number, yes: () => number): number => {
    const at = nodes.push(0, threshold, 0, 0, missing) - 5
    nodes[at + 2] = no()
    nodes[at + 3] = yes()
    return at / 5
  }
  const other = () => leaf(fallback)
  const grow = (first: number, last: number): number => {
    if (first > last) return other()
    if (first < last) {
      const middle = (first + last) >> 1
      const [left, right] = [() => grow(first, middle), () => grow(middle + 1, last)]
      return branch(keys[middle], 0, right, left)
    }
    // Above the key, below it, or the key itself.
    const own = () => leaf(values.get(keys[first]) ?? fallback)
    return branch(keys[first], 0, other, () => branch(below(keys[first]), 0, own, other))
  }
  // A threshold that is NaN is above no number: the first branch leads NaN, and nothing else, to its value.
  const missing = values.get(Number.NaN)
  if (missing === undefined) grow(0, keys.length - 1)
  else
    branch(
      Number.NaN,
      1,
      () => grow(0, keys.length - 1),
      () => leaf(missing),
    )
  const depth = 3 + Math.ceil(Math.log2(Math.max(1, keys.length)))
  const params = {
    ...{ rows: elementsOf(x.dims), features: 1, trees: 1, nodes: nodes.length / 5, targets: 1, depth },
    ...{ aggregate: treeAggregates.sum, missing: missing === undefined ? 0 : 1, single: 1, dense: 0 },
  }
  const tables = [[0, depth], nodes, leaves].map(table => floats(context, table))
  return context.graph.emit('tree-ensemble', context.op.name, params, [x, ...tables], x.dims, 'float32')
}

/** Each string of x by a table from names; strings that come in from outside and have no name get the fallback too. */
export function emitByName(
  context: LowerContext,
  x: Tensor,
  names: readonly string[],
  values: ReadonlyMap<string, number>,
  fallback: number,
): Tensor {
  // Place -1, of a string without a name, counts from the end.
  const table = [...names.map(name => values.get(name) ?? fallback), fallback]
  const params = { outer: 1, axis: table.length, inner: 1, count: elementsOf(x.dims) }
  return context.graph.emit('gather', context.op.name, params, [floats(context, table), x], x.dims, 'float32')
}
