/** Tables for the tests of learning: cut from plain rows. */
import type { LabelColumn, TableShard } from '../../src/data/tables/types.ts'

export interface PlainTable {
  rows: readonly (readonly number[])[]
  classes?: readonly string[]
  numbers?: readonly number[]
}

export function columnNames(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `f${i}`)
}

/** @param sizes rows of each shard; the last one takes what is left */
export function cut(table: PlainTable, sizes: readonly number[] = []): TableShard[] {
  const columns = columnNames(table.rows[0]?.length ?? 0)
  const shards: TableShard[] = []
  const ends = sizes.map((_, i) => sizes.slice(0, i + 1).reduce((sum, size) => sum + size, 0))
  let firstRow = 0
  for (const end of [...ends, table.rows.length]) {
    const rows = table.rows.slice(firstRow, end)
    if (rows.length === 0) continue
    const x = Float32Array.from(rows.flat())
    const label = labelOf(table, firstRow, end)
    shards.push({ index: shards.length, firstRow, rows: rows.length, columns, x, ...(label && { label }) })
    firstRow = end
  }
  return shards
}

function labelOf({ classes, numbers }: PlainTable, from: number, to: number): LabelColumn | undefined {
  if (numbers) return { kind: 'number', values: Float64Array.from(numbers.slice(from, to)) }
  if (!classes) return undefined
  const part = classes.slice(from, to)
  const names = [...new Set(part)]
  return { kind: 'class', names, codes: Uint32Array.from(part, name => names.indexOf(name)) }
}
