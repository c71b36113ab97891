/**
 * CSV and TSV files (RFC 4180 quoting), gzip too, as a stream: memory does not grow with the file.
 * The parser is the package csv-parse; lines are counted as an editor does.
 */
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { CsvError, parse } from 'csv-parse'
import { z } from 'zod'
import { PeerError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import type { TableOptions } from './options.ts'
import type { RawBatch, RawRow } from './raw.ts'

/** Rows handed on together, to save turns of the event loop. */
const batchRows = 1024

const recordSchema = z.object({ record: z.array(z.string()), info: z.object({ lines: z.number() }) })

/** @throws PeerError TABLE_UNREADABLE, TABLE_BAD_ROW (a quote that never ends) */
export async function* readCsv(file: string, name: string, options: TableOptions): AsyncIterable<RawBatch> {
  const delimiter = options.delimiter ?? (/\.tsv(\.gz)?$/i.test(name) ? '\t' : ',')
  const parser = parse({
    ...{ delimiter, bom: true, info: true, relax_column_count: true, skip_empty_lines: true },
    ...{ from_line: options.skipLines + 1, max_record_size: limits.cellCharsMax * 64 },
  })
  const source: Readable = createReadStream(file)
  const flow = (await isGzip(file)) ? pipeline(source, createGunzip(), parser) : pipeline(source, parser)
  // Its error comes out of the loop below too.
  flow.catch(() => {})
  let columns: readonly string[] | undefined
  let rows: RawRow[] = []
  try {
    for await (const item of parser) {
      const { record, info } = checked(item)
      const row = { cells: record, line: info.lines }
      if (!columns) {
        const header = options.header === 'yes' || (options.header === 'auto' && record.every(isName))
        columns = header ? uniqueNames(record, name) : record.map((_, i) => `column${i}`)
        if (header) continue
      }
      rows.push(row)
      if (rows.length < batchRows) continue
      yield { columns, rows }
      rows = []
    }
  } catch (thrown) {
    throw readError(thrown, name)
  } finally {
    source.destroy()
  }
  if (columns) yield { columns, rows }
}

/** A record is what `info: true` makes of it; checking all of 64 cells by a schema would cost more than parsing them. */
function checked(item: unknown): { record: string[]; info: { lines: number } } {
  if (isRecord(item)) return item
  return recordSchema.parse(item)
}

function isRecord(item: unknown): item is { record: string[]; info: { lines: number } } {
  if (typeof item !== 'object' || item === null || !('record' in item) || !('info' in item)) return false
  const { record, info } = item
  return Array.isArray(record) && typeof info === 'object' && info !== null && 'lines' in info
}

function isName(cell: string): boolean {
  const text = cell.trim()
  return text !== '' && Number.isNaN(Number(text)) && text.toLowerCase() !== 'nan'
}

function uniqueNames(record: readonly string[], file: string): string[] {
  const names = record.map((cell, i) => cell.trim() || `column${i}`)
  if (new Set(names).size === names.length) return names
  const twice = names.find((cell, i) => names.indexOf(cell) !== i)
  throw new PeerError({
    code: 'TABLE_COLUMNS',
    kind: 'input',
    message: `${file} names two columns "${twice}"; give each its own name, or say that the file has no header`,
  })
}

async function isGzip(file: string): Promise<boolean> {
  const handle = await open(file)
  try {
    const { bytesRead, buffer } = await handle.read(new Uint8Array(2), 0, 2, 0)
    return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b
  } finally {
    await handle.close()
  }
}

function readError(thrown: unknown, name: string): PeerError {
  if (thrown instanceof PeerError) return thrown
  if (thrown instanceof CsvError) {
    const line: unknown = thrown.lines
    return new PeerError({
      code: 'TABLE_BAD_ROW',
      kind: 'input',
      message: `${name}, line ${line}: the quotes do not match, or a row is too long; correct it and try again`,
      details: { file: name, line },
      cause: thrown,
    })
  }
  return new PeerError({
    code: 'TABLE_UNREADABLE',
    kind: 'input',
    message: `${name} cannot be read as CSV; check that it is whole`,
    cause: thrown,
  })
}
