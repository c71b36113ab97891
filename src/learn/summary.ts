/**
 * What a table is like: rows, and for each column its mean, spread and bounds; the labels that occur. Every training
 * begins with it, and no method reads the data for it again.
 *
 * Numerics: float64; two passes over a shard, and pairs of shards joined by Chan, Golub and LeVeque's formula (1979), which
 * loses nothing where a mean is far larger than its spread.
 */
import { PeerError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { TableShard } from '../data/tables/types.ts'
import type { Arrays } from './arrays.ts'

/** Labels that occur, with their rows. */
export type ClassCounts = ReadonlyMap<string, number>

export interface Moments {
  /**
   * rows [1]; counts (values that are not missing), mean, squares (sum of squared differences from the mean), low, high
   * [columns]; the last column is a label that is a number.
   */
  arrays: Arrays
  classes: ClassCounts | undefined
}

export interface Summary {
  rows: number
  features: number
  columns: readonly string[]
  /** [features]: rows that have a value; and so on. */
  counts: Float64Array
  mean: Float64Array
  /** Sums of squared differences from the mean. */
  squares: Float64Array
  low: Float64Array
  high: Float64Array
  label: { kind: 'none' } | { kind: 'class'; names: readonly string[]; counts: readonly number[] } | NumberLabel
}

export interface NumberLabel {
  kind: 'number'
  mean: number
  squares: number
}

/** Names of the arrays of `Moments` that have a value for each column. */
export const momentNames = ['counts', 'mean', 'squares', 'low', 'high'] as const

/** One pass for the means, one for the squares. @throws PeerError TABLE_TOO_MANY_CLASSES */
export function momentsOf(shard: TableShard): Moments {
  const { rows, x, label } = shard
  const features = shard.columns.length
  const numbers = label?.kind === 'number' ? label.values : undefined
  const columns = features + (numbers ? 1 : 0)
  const [counts, mean, squares] = [0, 1, 2].map(() => new Float64Array(columns))
  const low = new Float64Array(columns).fill(Number.POSITIVE_INFINITY)
  const high = new Float64Array(columns).fill(Number.NEGATIVE_INFINITY)
  const at = (row: number, column: number) =>
    numbers && column === features ? numbers[row] : x[row * features + column]
  for (let row = 0; row < rows; row++) {
    for (let c = 0; c < columns; c++) {
      const value = at(row, c)
      if (Number.isNaN(value)) continue
      counts[c]++
      mean[c] += value
      if (value < low[c]) low[c] = value
      if (value > high[c]) high[c] = value
    }
  }
  for (let c = 0; c < columns; c++) mean[c] /= Math.max(1, counts[c])
  for (let row = 0; row < rows; row++) {
    for (let c = 0; c < columns; c++) {
      const off = at(row, c) - mean[c]
      if (!Number.isNaN(off)) squares[c] += off * off
    }
  }
  return { arrays: { rows: Float64Array.of(rows), counts, mean, squares, low, high }, classes: countClasses(shard) }
}

function countClasses({ label }: TableShard): ClassCounts | undefined {
  if (label?.kind !== 'class') return undefined
  const counts = new Array<number>(label.names.length).fill(0)
  for (const code of label.codes) counts[code]++
  const classes = new Map(label.names.map((name, i) => [name, counts[i]]))
  checkClasses(classes)
  return classes
}

/** Characters of all classes together: they travel in the head of a block (arrays.ts), as JSON. */
const classCharsMax = 500_000

function checkClasses(classes: ClassCounts): void {
  let characters = 0
  for (const name of classes.keys()) characters += name.length
  if (classes.size <= limits.labelsMax && characters <= classCharsMax) return
  throw new PeerError({
    code: 'TABLE_TOO_MANY_CLASSES',
    kind: 'input',
    message: `the label column has ${classes.size} different values of ${characters} characters, at most ${limits.labelsMax} and ${classCharsMax} are taken; name a column of classes, or train a regression`,
  })
}

/** @throws PeerError TABLE_TOO_MANY_CLASSES */
export function mergeMoments(a: Moments, b: Moments): Moments {
  const columns = a.arrays.mean.length
  const [counts, mean, squares, low, high] = momentNames.map(() => new Float64Array(columns))
  for (let c = 0; c < columns; c++) {
    const [na, nb] = [a.arrays.counts[c], b.arrays.counts[c]]
    const count = na + nb
    const apart = b.arrays.mean[c] - a.arrays.mean[c]
    counts[c] = count
    mean[c] = a.arrays.mean[c] + (count > 0 ? (apart * nb) / count : 0)
    squares[c] = a.arrays.squares[c] + b.arrays.squares[c] + (count > 0 ? (apart * apart * na * nb) / count : 0)
    low[c] = Math.min(a.arrays.low[c], b.arrays.low[c])
    high[c] = Math.max(a.arrays.high[c], b.arrays.high[c])
  }
  const rows = Float64Array.of(a.arrays.rows[0] + b.arrays.rows[0])
  return { arrays: { rows, counts, mean, squares, low, high }, classes: joinClasses(a.classes, b.classes) }
}

function joinClasses(a: ClassCounts | undefined, b: ClassCounts | undefined): ClassCounts | undefined {
  if (!a || !b) return undefined
  const joined = new Map(a)
  for (const [name, count] of b) joined.set(name, (joined.get(name) ?? 0) + count)
  checkClasses(joined)
  return joined
}

/**
 * The whole table's summary. Classes are in the order of their numbers where all are numbers, else of their text.
 * @throws PeerError TABLE_EMPTY
 */
export function finishSummary(moments: Moments, columns: readonly string[]): Summary {
  const { arrays, classes } = moments
  const rows = arrays.rows[0]
  if (rows < 1) {
    throw new PeerError({
      code: 'TABLE_EMPTY',
      kind: 'input',
      message: 'there is no row to learn from; check the input',
    })
  }
  const features = columns.length
  const label: Summary['label'] = classes
    ? sortedClasses(classes)
    : arrays.mean.length > features
      ? { kind: 'number', mean: arrays.mean[features], squares: arrays.squares[features] }
      : { kind: 'none' }
  const [counts, mean, squares, low, high] = momentNames.map(name => arrays[name].slice(0, features))
  return { rows, features, columns, counts, mean, squares, low, high, label }
}

function sortedClasses(classes: ClassCounts): Summary['label'] {
  const names = [...classes.keys()]
  const numeric = names.every(name => name.trim() !== '' && Number.isFinite(Number(name)))
  names.sort((a, b) => (numeric ? Number(a) - Number(b) : 0) || (a < b ? -1 : a > b ? 1 : 0))
  return { kind: 'class', names, counts: names.map(name => classes.get(name) ?? 0) }
}

/** The shard with the columns' means where values are missing; the shard itself where none of the table is. */
export function filledShard(shard: TableShard, { counts, rows, mean, features }: Summary): TableShard {
  if (counts.every(count => count === rows)) return shard
  const known = filled.get(shard.x)
  // By value: a peer decodes the same summary anew each round.
  if (known?.mean.every((value, i) => value === mean[i])) return known.shard
  const x = shard.x.slice()
  for (let at = 0; at < x.length; at++) if (Number.isNaN(x[at])) x[at] = mean[at % features]
  const result = { ...shard, x }
  filled.set(shard.x, { mean, shard: result })
  return result
}

/** So that rounds do not fill gaps again. */
const filled = new WeakMap<Float32Array, { mean: Float64Array; shard: TableShard }>()
