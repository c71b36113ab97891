/**
 * Rows of cells into shards of float32. Invariant: where shards are cut depends on the rows and the options alone, not on
 * files' chunks; a value that float32 does not hold is an error and never an infinity.
 */
import { PeerError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import { type ChosenColumns, chooseColumns } from './columns.ts'
import { reasonsMax, type TableOptions, type TableReport } from './options.ts'
import type { Cell, PlaceWord, RawBatch, RawRow } from './raw.ts'
import type { LabelColumn, TableShard, TextColumn } from './types.ts'

/** Float32 values of a shard whose rows nobody chose, 8 MiB: a round costs a peer about a millisecond a shard beside the sums. */
const shardValues = 2 * 1024 * 1024
/** Up to here float32 holds every whole number. */
const exactMax = 2 ** 24
const float32Max = 3.4028234663852886e38

/** What spreadsheets, R and pandas write for nothing. */
const missingWords: ReadonlySet<string> = new Set(['', 'na', 'n/a', 'nan', 'null', 'none', '?'])

export interface ShardBuilder {
  /** Shards that are full by now. @throws PeerError TABLE_* */
  add(file: string, batch: RawBatch, word: PlaceWord): TableShard[]
  /** The last one, if rows are left. */
  end(): TableShard | undefined
}

interface OpenShard {
  x: Float32Array
  rows: number
  codes: Uint32Array
  names: Map<string, number>
  numbers: Float64Array
  /** By column of texts. */
  texts: { known: Map<string, number>; codes: Uint32Array }[]
}

export function createShardBuilder(options: TableOptions, report: TableReport): ShardBuilder {
  let chosen: ChosenColumns | undefined
  let chosenFor: readonly string[] | undefined
  let capacity = 0
  let open: OpenShard | undefined
  let index = 0
  let firstRow = 0

  const choose = (file: string, columns: readonly string[]): ChosenColumns => {
    if (chosen && columns === chosenFor) return chosen
    const next = chooseColumns(columns, options, file)
    if (
      chosen &&
      (next.names.length !== chosen.names.length || next.names.some((name, i) => name !== chosen?.names[i]))
    ) {
      throw new PeerError({
        code: 'TABLE_COLUMNS',
        kind: 'input',
        message: `${file} has other columns than the files before it; give files of one kind`,
      })
    }
    chosenFor = columns
    capacity = options.rowsPerShard ?? Math.max(1, Math.floor(shardValues / (next.names.length + next.texts.length)))
    capacity = Math.min(
      capacity,
      limits.tableShardRowsMax,
      Math.max(1, Math.floor(limits.tableShardValuesMax / Math.max(1, next.names.length))),
    )
    return next
  }
  const close = ({ names: columns, label, texts: places }: ChosenColumns, full: OpenShard): TableShard => {
    const { rows } = full
    // A full shard's values go as they are: their memory was made for it alone.
    const x = rows === full.codes.length ? full.x : full.x.slice(0, rows * columns.length)
    const labels: LabelColumn | undefined =
      label === undefined
        ? undefined
        : options.labelKind === 'number'
          ? { kind: 'number', values: full.numbers.slice(0, rows) }
          : { kind: 'class', names: [...full.names.keys()], codes: full.codes.slice(0, rows) }
    const texts = full.texts.map(
      ({ known, codes }, i): TextColumn => ({
        name: chosenFor?.[places[i]] ?? '',
        texts: [...known.keys()],
        codes: codes.slice(0, rows),
      }),
    )
    const shard = {
      index,
      firstRow,
      rows,
      columns,
      x,
      ...(labels && { label: labels }),
      ...(texts.length > 0 && { texts }),
    }
    index++
    firstRow += rows
    return shard
  }

  return {
    add(file, batch, word) {
      const current = choose(file, batch.columns)
      chosen = current
      const full: TableShard[] = []
      for (const row of batch.rows) {
        open ??= newShard(capacity, current, options)
        const problem = row.bad ?? takeRow(open, row, current, options, batch.columns)
        if (problem !== undefined) {
          refuse(file, word, row, problem, options, report)
          continue
        }
        open.rows++
        report.rows++
        if (open.rows < capacity) continue
        full.push(close(current, open))
        open = undefined
      }
      return full
    },
    end() {
      const last = open && open.rows > 0 && chosen ? close(chosen, open) : undefined
      open = undefined
      return last
    },
  }
}

function newShard(capacity: number, { features, texts }: ChosenColumns, options: TableOptions): OpenShard {
  return {
    x: new Float32Array(capacity * features.length),
    rows: 0,
    codes: new Uint32Array(capacity),
    names: new Map(),
    numbers: new Float64Array(options.labelKind === 'number' ? capacity : 0),
    texts: texts.map(() => ({ known: new Map(), codes: new Uint32Array(capacity) })),
  }
}

/** Writes a row at the shard's end, or says why it is none. */
function takeRow(
  open: OpenShard,
  { cells }: RawRow,
  { features, label, texts, width }: ChosenColumns,
  options: TableOptions,
  columns: readonly string[],
): string | undefined {
  if (cells.length !== width) return `has ${cells.length} cells where the table has ${width} columns`
  const at = open.rows * features.length
  for (let i = 0; i < features.length; i++) {
    const cell = cells[features[i]]
    const value = toNumber(cell, options.decimal)
    if (Number.isNaN(value)) {
      if (!isMissing(cell))
        return `column "${columns[features[i]]}" holds "${shown(cell)}", which is no number${commaHint(cell, options)}`
      if (options.missing === 'error') return `column "${columns[features[i]]}" is empty`
    } else if (!(Math.abs(value) <= float32Max)) {
      return `column "${columns[features[i]]}" holds ${shown(cell)}, which is beyond float32`
    }
    if (Math.abs(value) > exactMax && Number.isInteger(value) && Math.fround(value) !== value) {
      return `column "${columns[features[i]]}" holds ${shown(cell)}, a whole number beyond ${exactMax} that float32 does not hold: subtract the column's least value first, or leave it out (--exclude)`
    }
    open.x[at + i] = value
  }
  for (let i = 0; i < texts.length; i++) {
    const text = textOf(cells[texts[i]])
    if (text === '' && options.missing === 'error') return `column "${columns[texts[i]]}" is empty`
    if (text.length > limits.cellCharsMax)
      return `column "${columns[texts[i]]}" holds a text of ${text.length} characters`
    const { known, codes } = open.texts[i]
    codes[open.rows] = known.get(text) ?? known.size
    known.set(text, codes[open.rows])
  }
  if (label === undefined) return undefined
  const cell = cells[label]
  if (options.labelKind === 'number' && isMissing(cell)) return `its label "${columns[label]}" is empty`
  // A class may be called NA.
  if (String(cell ?? '').trim() === '' || Number.isNaN(cell)) return `its label "${columns[label]}" is empty`
  if (options.labelKind === 'number') {
    const value = toNumber(cell, options.decimal)
    if (!Number.isFinite(value))
      return `its label "${columns[label]}" holds "${shown(cell)}", which is no number${commaHint(cell, options)}`
    open.numbers[open.rows] = value
    return undefined
  }
  const name = String(cell).trim()
  const known = open.names.get(name)
  if (known === undefined) open.names.set(name, open.names.size)
  open.codes[open.rows] = known ?? open.names.size - 1
  return undefined
}

/** Whether it holds something that is no number. */
export function isText(cell: Cell): boolean {
  return !isMissing(cell) && Number.isNaN(toNumber(cell)) && !hasComma(cell)
}

/** As the file has it: a category's blanks and its letters' size count. Empty where it is missing. */
function textOf(cell: Cell): string {
  return cell === null || cell === undefined ? '' : String(cell)
}

export function isMissing(cell: Cell): boolean {
  if (cell === null || cell === undefined) return true
  if (typeof cell === 'number') return Number.isNaN(cell)
  return typeof cell === 'string' && missingWords.has(cell.trim().toLowerCase())
}

/** A number with a decimal comma. */
function hasComma(cell: Cell): boolean {
  return typeof cell === 'string' && /^\s*[+-]?\d*,\d+(e[+-]?\d+)?\s*$/i.test(cell)
}

function commaHint(cell: Cell, { decimal }: TableOptions): string {
  return decimal === '.' && hasComma(cell) ? ' (say --decimal , if the comma stands before decimals)' : ''
}

/** NaN where it is none. */
function toNumber(cell: Cell, decimal: '.' | ',' = '.'): number {
  if (typeof cell === 'number') return cell
  // Here a point would part thousands, or be a mistake.
  if (decimal === ',' && typeof cell === 'string')
    return cell.includes('.') ? Number.NaN : toNumber(cell.replace(',', '.'))
  if (typeof cell === 'string') {
    const value = Number(cell)
    const first = cell.charCodeAt(0)
    // Most cells begin with a digit or a sign, and a digit or a point follows: no other check is needed.
    if (first > 32 && first < 128 && !(cell.charCodeAt(1) > 57)) return value
    const text = cell.trim()
    // Number('') is 0, and Number('0x10') is what nobody means in a table.
    return text === '' || /^[+-]?0[xob]/i.test(text) ? Number.NaN : value
  }
  return cell === null || cell === undefined ? Number.NaN : Number(cell)
}

function shown(cell: Cell): string {
  return String(cell).slice(0, 40)
}

function refuse(
  file: string,
  word: PlaceWord,
  { line }: RawRow,
  problem: string,
  options: TableOptions,
  report: TableReport,
): void {
  const reason = `${file}, ${word} ${line}: ${problem}`
  if (options.badRows === 'skip') {
    report.skipped++
    if (report.reasons.length < reasonsMax) report.reasons.push(reason)
    return
  }
  const missing = problem.endsWith('is empty')
  const remedy = missing
    ? 'fill it in, have it filled with the mean (--missing mean), or leave such rows out (--skip-bad-rows)'
    : 'correct it, or leave such rows out (--skip-bad-rows)'
  throw new PeerError({
    code: missing ? 'TABLE_MISSING_VALUE' : 'TABLE_BAD_ROW',
    kind: 'input',
    message: `${reason}; ${remedy}`,
    details: { file, [word]: line },
  })
}
