/**
 * Rows that a training does not look at, so that a model is judged by what it has not seen. Which these are, a hash of the row's own
 * features and the training's seed says: the same on every peer and however a table is cut, and equal rows are never on both sides.
 */
import type { LabelColumn, TableShard } from '../data/tables/types.ts'

/** In [0, 1), evenly. Murmur3's steps over the words of the row. */
function placeOf(words: Uint32Array, from: number, to: number, seed: number): number {
  let hash = seed
  for (let at = from; at < to; at++) {
    let word = Math.imul(words[at], 0xcc9e2d51)
    word = Math.imul((word << 15) | (word >>> 17), 0x1b873593)
    hash ^= word
    hash = Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64
  }
  hash ^= hash >>> 16
  hash = Math.imul(hash, 0x85ebca6b)
  hash ^= hash >>> 13
  hash = Math.imul(hash, 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32
}

/** @param share of the rows that are held out, about. Both parts have memory of their own. */
export function splitRows(shard: TableShard, share: number, seed: number): { learnt: TableShard; held: TableShard } {
  const { rows, x, columns } = shard
  const d = columns.length
  const words = new Uint32Array(x.buffer, x.byteOffset, x.length)
  const [learnt, held]: number[][] = [[], []]
  for (let row = 0; row < rows; row++) {
    const out = placeOf(words, row * d, (row + 1) * d, seed) < share
    ;(out ? held : learnt).push(row)
  }
  return { learnt: rowsOf(shard, learnt), held: rowsOf(shard, held) }
}

function rowsOf({ index, firstRow, columns, x, label }: TableShard, rows: readonly number[]): TableShard {
  const d = columns.length
  const part = new Float32Array(rows.length * d)
  rows.forEach((row, i) => {
    part.set(x.subarray(row * d, (row + 1) * d), i * d)
  })
  return { index, firstRow, rows: rows.length, columns, x: part, ...(label && { label: labelOf(label, rows) }) }
}

/** With the names that occur alone, as if the other rows had never been. */
function labelOf(label: LabelColumn, rows: readonly number[]): LabelColumn {
  if (label.kind === 'number') return { kind: 'number', values: Float64Array.from(rows, row => label.values[row]) }
  const known = new Map<number, number>()
  const codes = Uint32Array.from(rows, row => {
    const code = label.codes[row]
    const place = known.get(code) ?? known.size
    known.set(code, place)
    return place
  })
  return { kind: 'class', names: [...known.keys()].map(code => label.names[code]), codes }
}
