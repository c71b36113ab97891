/**
 * Parquet files, one group of rows after the other; only the columns that are wanted are read. The reader is the package
 * hyparquet, with its decompressors.
 */
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects, parquetSchema } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { PeerError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import { chooseColumns } from './columns.ts'
import type { TableOptions } from './options.ts'
import type { Cell, RawBatch, RawRow } from './raw.ts'

/** Rows that are objects at a time. */
const pieceRows = 16_384

/** @throws PeerError TABLE_UNREADABLE, TABLE_COLUMNS, TABLE_TOO_LARGE */
export async function* readParquet(file: string, name: string, options: TableOptions): AsyncIterable<RawBatch> {
  try {
    const buffer = await asyncBufferFromFile(file)
    const metadata = await parquetMetadataAsync(buffer)
    const columns = parquetSchema(metadata).children.map(child => child.element.name)
    const { features, label, texts } = chooseColumns(columns, options, name)
    const places = new Set([...features, ...texts, ...(label === undefined ? [] : [label])])
    const wanted = [...places].map(place => columns[place])
    let first = 0
    for (const group of metadata.row_groups) {
      const rows = Number(group.num_rows)
      if (!(rows * wanted.length <= limits.tableShardValuesMax * 4)) {
        throw new PeerError({
          code: 'TABLE_TOO_LARGE',
          kind: 'input',
          message: `${name} has a row group of ${rows} rows; write it again with smaller row groups`,
        })
      }
      for (let from = first; from < first + rows; from += pieceRows) {
        const to = Math.min(first + rows, from + pieceRows)
        const read = { file: buffer, metadata, columns: wanted, rowStart: from, rowEnd: to, compressors }
        const objects = await parquetReadObjects(read)
        yield {
          columns,
          rows: objects.map((row, i): RawRow => ({ ...cellsOf(row, columns, wanted), line: from + i + 1 })),
        }
      }
      first += rows
    }
    if (first === 0) yield { columns, rows: [] }
  } catch (thrown) {
    if (thrown instanceof PeerError) throw thrown
    throw new PeerError({
      code: 'TABLE_UNREADABLE',
      kind: 'input',
      message: `${name} cannot be read as Parquet (${thrown instanceof Error ? thrown.message.slice(0, 200) : 'unknown'}); check that it is whole`,
      cause: thrown,
    })
  }
}

/** All of a row's cells, those that were not read left missing. */
function cellsOf(
  row: Readonly<Record<string, unknown>>,
  columns: readonly string[],
  wanted: readonly string[],
): { cells: Cell[]; bad?: string } {
  const cells = new Array<Cell>(columns.length).fill(null)
  for (const name of wanted) {
    const value = row[name]
    if (!isCell(value))
      return {
        cells,
        bad: `column "${name}" holds ${kindOf(value)}, which is no number and no text: convert it, or leave it out (--exclude)`,
      }
    cells[columns.indexOf(name)] = value
  }
  return { cells }
}

/** Of a value that is none of a table's. */
function kindOf(value: unknown): string {
  if (value instanceof Date) return 'a date or time'
  if (Array.isArray(value)) return 'a list'
  return value instanceof Uint8Array ? 'bytes' : 'a structure'
}

function isCell(value: unknown): value is Cell {
  return value === null || value === undefined || ['string', 'number', 'bigint', 'boolean'].includes(typeof value)
}
