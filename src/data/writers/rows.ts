/**
 * Rows of named columns as one file for the user, by its extension CSV, JSON lines, Parquet or NPY, and beside it a file of the
 * inputs that could not be read. Memory holds one part of the rows.
 *
 * NPY holds the numbers alone, float32 [rows, columns]; what the rows are called goes into a text file beside it.
 */
import { rm } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import type { Writable } from 'node:stream'
import { stringify } from 'csv-stringify/sync'
import { ByteWriter, ParquetWriter } from 'hyparquet-writer'
import { PeerError } from '../../base/errors.ts'
import { type CellWriter, cellWriter } from './csv-cells.ts'
import { type Draft, errorsFileOf, openDraft, streamDraft } from './draft.ts'
import { npyHeader } from './npy.ts'

export interface RowsColumn {
  name: string
  kind: 'number' | 'text'
}

/** Rows that follow one another. */
export interface RowsPart {
  /** A key for each row, or none: then they are called by their place. */
  keys: readonly string[]
  firstRow: number
  rows: number
  /** [rows, columns of numbers] */
  numbers: Float32Array
  /** By column of texts, a place in `names` for each row. */
  texts: readonly { names: readonly string[]; places: ArrayLike<number> }[]
}

export interface RowsInit {
  /** Ends in `.csv`, `.jsonl`, `.parquet` or `.npy`; or a stream, which is left open and gets no errors file. */
  out: string | Writable
  /** For a stream; default `csv`. */
  format?: 'csv' | 'jsonl'
  columns: readonly RowsColumn[]
  /** Name of the first column. */
  key: 'path' | 'row'
  /** How many there will be. */
  rows: number
  /** CSV: texts as they are, also those that a spreadsheet would run. Default false: see csv-cells.ts. */
  raw?: boolean
}

export interface RowsWriter {
  write(part: RowsPart): Promise<void>
  /** An input that could not be read; the errors file exists only if there is one. */
  writeError(path: string, reason: string): Promise<void>
  /** Completes the files and puts them in place, over older ones. */
  close(): Promise<{ rows: number; errors: number; marked?: number; errorsFile?: string }>
  /** Leaves nothing behind; older files stay. Harmless after `close`. */
  abort(): Promise<void>
}

const formats = { '.csv': 'csv', '.jsonl': 'jsonl', '.ndjson': 'jsonl', '.parquet': 'parquet', '.npy': 'npy' } as const
export type RowsFormat = (typeof formats)[keyof typeof formats]

/** Throws PeerError of kind `input` when `out` has an extension that is not written. For a check before any work. */
export function rowsFormat(out: string): RowsFormat {
  const extension = extname(out).toLowerCase()
  for (const [known, format] of Object.entries(formats)) if (extension === known) return format
  throw new PeerError({
    code: 'OUTPUT_FORMAT',
    kind: 'input',
    message: `${out} has an extension that is not written: end it in .csv, .jsonl, .parquet or .npy`,
    details: { out },
  })
}

/** One format: what comes before the rows, what each part becomes, and what comes behind. */
interface Encoder {
  start: string | Uint8Array
  encode(part: RowsPart): string | Uint8Array
  end(): string | Uint8Array
}

/**
 * Opens the files for writing. Throws PeerError: `input` when the folder is missing or not writable, or the format cannot hold
 * the columns; `resource` when the disk is full, from any of the calls.
 */
export async function openRowsWriter(init: RowsInit): Promise<RowsWriter> {
  const { out, columns, key } = init
  const format = typeof out === 'string' ? rowsFormat(out) : (init.format ?? 'csv')
  if (format === 'npy' && columns.some(column => column.kind === 'text')) {
    const text = columns.find(column => column.kind === 'text')
    throw new PeerError({
      code: 'OUTPUT_FORMAT',
      kind: 'input',
      message: `.npy holds numbers, and "${text?.name}" is text: write .csv or .parquet`,
    })
  }
  const cells = cellWriter(init.raw)
  const encoder = encoders[format](init, cells)
  const file = typeof out === 'string' ? await openDraft(out) : streamDraft(out)
  await file.write(encoder.start)
  const beside = format === 'npy' && typeof out === 'string' && key === 'path' ? pathsFileOf(out) : undefined
  let paths: Draft | undefined
  let errors: Draft | undefined
  const errorsFile = typeof out === 'string' ? errorsFileOf(out) : undefined
  const counts = { rows: 0, errors: 0 }
  return {
    async write(part) {
      counts.rows += part.rows
      await file.write(encoder.encode(part))
      if (beside === undefined) return
      paths ??= await openDraft(beside)
      await paths.write(part.keys.map(path => `${pathLine(path)}\n`).join(''))
    },
    async writeError(path, reason) {
      counts.errors++
      if (errorsFile === undefined) return
      errors ??= await openDraft(errorsFile, stringify([['path', 'reason']]))
      await errors.write(stringify([[path, reason].map(cell => cells.cell(cell))]))
    },
    async close() {
      await errors?.close()
      await paths?.close()
      await file.write(encoder.end())
      await file.close()
      // An older run's errors would be taken for this one's.
      if (!errors && errorsFile !== undefined) await rm(errorsFile, { force: true })
      const { marked } = cells
      const told = marked > 0 ? { ...counts, marked } : { ...counts }
      return errors ? { ...told, errorsFile } : told
    },
    async abort() {
      await errors?.abort()
      await paths?.abort()
      await file.abort()
    },
  }
}

/** One line each: a path that holds a line break, or begins with a quotation mark, is written as a JSON string. */
function pathLine(path: string): string {
  return /^"|[\n\r]/.test(path) ? JSON.stringify(path) : path
}

/** `features.paths.txt` for `features.npy`: a path a line, in the order of the rows. */
export function pathsFileOf(out: string): string {
  return join(dirname(out), `${basename(out, extname(out))}.paths.txt`)
}

const encoders: Record<RowsFormat, (init: RowsInit, cells: CellWriter) => Encoder> = {
  csv: ({ columns, key }, cells) => ({
    start: stringify([[key, ...columns.map(column => cells.cell(column.name))]]),
    encode: part => stringify(cellsOf(columns, part).map(row => row.map(cell => textOf(cell, cells)))),
    end: () => '',
  }),
  jsonl: ({ columns, key }) => ({
    start: '',
    encode: part =>
      cellsOf(columns, part)
        .map(([name, ...cells]) => {
          const row = Object.fromEntries(columns.map((column, c) => [column.name, jsonValue(cells[c])]))
          return `${JSON.stringify({ [key]: name, ...row })}\n`
        })
        .join(''),
    end: () => '',
  }),
  parquet: parquetEncoder,
  npy: ({ columns, rows }) => ({
    start: npyHeader('float32', [rows, columns.length]),
    encode: ({ numbers }) => new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength),
    end: () => '',
  }),
}

/** For each row what it is called, then its columns. */
function cellsOf(columns: readonly RowsColumn[], part: RowsPart): (string | number)[][] {
  const numeric = part.rows === 0 ? 0 : part.numbers.length / part.rows
  return Array.from({ length: part.rows }, (_, row) => {
    let [number, text] = [row * numeric, 0]
    const cells: (string | number)[] = [part.keys[row] ?? part.firstRow + row]
    for (const { kind } of columns) {
      if (kind === 'number') cells.push(part.numbers[number++])
      else {
        const { names, places } = part.texts[text++]
        cells.push(names[places[row]])
      }
    }
    return cells
  })
}

const textOf = (cell: string | number, cells: CellWriter): string =>
  typeof cell === 'number' ? shortestFloat(cell) : cells.cell(cell)
/** JSON has no NaN and no infinities. */
const jsonValue = (cell: string | number) =>
  typeof cell === 'string' ? cell : Number.isFinite(cell) ? Number(shortestFloat(cell)) : null

/** The fewest digits from which a reader gets the same float32. */
export function shortestFloat(value: number): string {
  if (!Number.isFinite(value) || Number.isInteger(value)) return String(value)
  for (let digits = 6; digits < 9; digits++) {
    const rounded = Number(value.toPrecision(digits))
    if (Math.fround(rounded) === value) return String(rounded)
  }
  return String(Number(value.toPrecision(9)))
}

/** Rows of a row group, about: few enough to hold in memory, many enough for columns to be worth it. */
const groupRows = 65_536

function parquetEncoder({ columns, key }: RowsInit): Encoder {
  const bytes = new ByteWriter()
  const schema = [
    { name: 'root', num_children: columns.length + 1 },
    key === 'path' ? textElement(key) : { name: key, type: 'INT64' as const, repetition_type: 'REQUIRED' as const },
    ...columns.map(({ name, kind }) =>
      kind === 'text' ? textElement(name) : { name, type: 'FLOAT' as const, repetition_type: 'REQUIRED' as const },
    ),
  ]
  const writer = new ParquetWriter({ writer: bytes, schema, createdBy: 'shardmesh' })
  let waiting: RowsPart[] = []
  /** What was written since the last call; the library counts offsets inside the file on its own. */
  const fresh = () => {
    const made = bytes.getBytes().slice()
    bytes.index = 0
    return made
  }
  const flush = () => {
    const parts = waiting
    waiting = []
    if (parts.length > 0) writer.write({ columnData: columnData(columns, key, parts) })
  }
  return {
    start: '',
    encode(part) {
      waiting.push(part)
      if (waiting.reduce((sum, { rows }) => sum + rows, 0) < groupRows) return ''
      flush()
      return fresh()
    },
    end() {
      flush()
      writer.finish()
      return fresh()
    },
  }
}

function textElement(name: string) {
  return { name, type: 'BYTE_ARRAY' as const, converted_type: 'UTF8' as const, repetition_type: 'REQUIRED' as const }
}

function columnData(columns: readonly RowsColumn[], key: 'path' | 'row', parts: readonly RowsPart[]) {
  const rows = parts.flatMap(part => cellsOf(columns, part))
  const column = (at: number) => rows.map(cells => cells[at])
  const keys = key === 'path' ? column(0) : column(0).map(place => BigInt(place))
  return [{ name: key, data: keys }, ...columns.map(({ name }, c) => ({ name, data: column(c + 1) }))]
}
