/**
 * CSV and TSV files (RFC 4180 quoting), gzip too, as a stream: memory does not grow with the file.
 * The parser is the package csv-parse; lines are counted as an editor does.
 */
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { CsvError, parse } from 'csv-parse'
import { z } from 'zod'
import { PeerError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import { openNamed } from '../../base/named-file.ts'
import { asUtf8 } from './csv-text.ts'
import type { TableOptions } from './options.ts'
import type { RawBatch, RawRow } from './raw.ts'

/** Bytes read together: each piece costs turns of the event loop. */
const pieceBytes = 512 * 1024
/** Rows handed on together, to save turns of the event loop. */
const batchRows = 1024

const recordSchema = z.object({ record: z.array(z.string()), info: z.object({ lines: z.number() }) })

/** @throws PeerError TABLE_UNREADABLE, TABLE_BAD_ROW (a quote that never ends) */
export async function* readCsv(file: string, name: string, options: TableOptions): AsyncIterable<RawBatch> {
  const delimiter = options.delimiter ?? (/\.tsv(\.gz)?$/i.test(name) ? '\t' : ',')
  const parser = parse({
    ...{ delimiter, bom: true, info: true, relax_column_count: true, skip_empty_lines: true },
    // A file may mix line ends, and a quotation mark may stand for inches.
    ...{ record_delimiter: ['\r\n', '\n', '\r'], relax_quotes: true },
    ...{ from_line: options.skipLines + 1, max_record_size: limits.cellCharsMax * 64 },
  })
  const gzip = await isGzip(file, name)
  const source: Readable = (await openNamed(file, name)).createReadStream({ highWaterMark: pieceBytes })
  const text = (chunks: AsyncIterable<Buffer>) => asUtf8(chunks, name, options.encoding)
  const flow = gzip ? pipeline(source, createGunzip(), text, parser) : pipeline(source, text, parser)
  // Its error comes out of the loop below too.
  flow.catch(() => {})
  let columns: readonly string[] | undefined
  let rows: RawRow[] = []
  try {
    for await (const item of parser) {
      const { record, info } = checked(item)
      const row = { cells: record, line: info.lines }
      if (!columns) {
        if (options.delimiter === undefined) checkDelimiter(record, name)
        const header = options.header === 'yes' || (options.header === 'auto' && isHeader(record, name))
        columns = header ? uniqueNames(record, name, options) : record.map((_, i) => `column${i}`)
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

/** One cell that holds what other tables are separated by. @throws PeerError TABLE_DELIMITER */
function checkDelimiter([only, ...others]: readonly string[], file: string): void {
  const found = others.length > 0 ? undefined : [';', '\t', '|'].find(one => only?.includes(one))
  if (found === undefined) return
  const shown = found === '\t' ? "$'\\t'" : `'${found}'`
  throw new PeerError({
    code: 'TABLE_DELIMITER',
    kind: 'input',
    message: `the first row of ${file} is one cell: say what separates cells, such as --delimiter ${shown} (or --delimiter , if it is one column)`,
  })
}

/** Names alone; the first may be empty, as pandas writes its index. @throws PeerError TABLE_HEADER where it may be either */
function isHeader(record: readonly string[], file: string): boolean {
  const [first, ...others] = record
  if (others.length > 0 && first.trim() === '' && others.every(isName)) return true
  if (record.every(isName)) return true
  // Tables made of arrays have the columns' numbers for names.
  const numbers = record.filter(cell => !isName(cell))
  if (numbers.length < 2 || !record.every((cell, i) => isName(cell) || cell.trim() === String(i))) return false
  throw new PeerError({
    code: 'TABLE_HEADER',
    kind: 'input',
    message: `the first row of ${file} (${record.slice(0, 6).join(',')}) may be names or values: say which with --header yes or --header no`,
  })
}

function isName(cell: string): boolean {
  const text = cell.trim()
  return text !== '' && Number.isNaN(Number(text)) && text.toLowerCase() !== 'nan'
}

function uniqueNames(record: readonly string[], file: string, options: TableOptions): string[] {
  const empty = record.findIndex(cell => cell.trim() === '')
  if (empty === 0 && options.features === undefined && options.exclude === undefined) {
    throw new PeerError({
      code: 'TABLE_COLUMNS',
      kind: 'input',
      message: `the first column of ${file} has no name, as pandas writes its index: leave it out with --exclude 0, or name the columns to take with --features`,
    })
  }
  const names = record.map((cell, i) => cell.trim() || `column${i}`)
  if (new Set(names).size === names.length) return names
  const twice = names.find((cell, i) => names.indexOf(cell) !== i)
  throw new PeerError({
    code: 'TABLE_COLUMNS',
    kind: 'input',
    message: `${file} names two columns "${twice}"; give each its own name, or say that the file has no header`,
  })
}

async function isGzip(file: string, name: string): Promise<boolean> {
  const handle = await openNamed(file, name)
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
