/**
 * Tables from files: CSV and TSV (gzip too), Parquet, NPY and NPZ; several files of one kind are one table, in the order given.
 *
 *     for await (const shard of readTable([{ path, file }], { label: 'species' })) …
 */
import { PeerError } from '../../base/errors.ts'
import { kindAt, kindProblem } from '../../base/named-file.ts'
import type { InputFile } from '../readers/inputs.ts'
import { createShardBuilder, isMissing, isText } from './build.ts'
import { chooseColumns } from './columns.ts'
import { readCsv } from './csv.ts'
import { readNpyTable } from './npy.ts'
import { readNpzTable } from './npz.ts'
import { newReport, type TableInit, type TableOptions, type TableReport, tableOptionsSchema } from './options.ts'
import { readParquet } from './parquet.ts'
import type { Cell, PlaceWord, RawBatch } from './raw.ts'
import type { TableShard } from './types.ts'

/** Endings of files that are tables, without the dot, in lower case. */
export const tableExtensions: readonly string[] = ['csv', 'tsv', 'txt', 'gz', 'parquet', 'npy', 'npz']

/** @throws PeerError TABLE_BAD_OPTIONS */
export function parseTableOptions(init: unknown): TableOptions {
  const parsed = tableOptionsSchema.safeParse(init)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new PeerError({
    code: 'TABLE_BAD_OPTIONS',
    kind: 'input',
    message: `the table's option ${issue.path.map(String).join('.')}: ${issue.message.split('\n')[0]}`,
  })
}

/**
 * The table in shards, read as they are asked for: memory is that of one shard and what the readers buffer.
 * @param report filled on the way
 * @throws PeerError of kind `input`: TABLE_UNREADABLE, TABLE_COLUMNS, TABLE_BAD_ROW, TABLE_MISSING_VALUE, TABLE_EMPTY, INPUT_NPY
 */
export async function* readTable(
  files: Iterable<InputFile> | AsyncIterable<InputFile>,
  init: TableInit = {},
  report: TableReport = newReport(),
): AsyncIterable<TableShard> {
  const options = parseTableOptions(init)
  const builder = createShardBuilder(options, report)
  let named = 'no file'
  for await (const { path, file } of files) {
    named = path
    await checkFile(file, path)
    const { batches, word } = open(file, path, options)
    for await (const batch of batches) yield* builder.add(path, batch, word)
  }
  const last = builder.end()
  if (last) yield last
  if (report.rows > 0) return
  const why =
    report.skipped > 0 ? `all ${report.skipped} rows were left out; the first: ${report.reasons[0]}` : 'it holds no row'
  throw new PeerError({ code: 'TABLE_EMPTY', kind: 'input', message: `${named}: ${why}; check the input` })
}

/**
 * The columns that may be read, in the table's order, what its first row holds in them, as text, and those of them that hold texts
 * and no number in all of the first rows.
 * @throws PeerError as `readTable`, but for what the cells are
 */
export async function firstRow(
  files: Iterable<InputFile> | AsyncIterable<InputFile>,
  init: TableInit = {},
): Promise<{ columns: readonly string[]; cells: readonly string[]; texts: readonly string[] }> {
  const options = parseTableOptions(init)
  let problem: string | undefined
  for await (const { path, file } of files) {
    await checkFile(file, path)
    const { batches, word } = open(file, path, options)
    for await (const { columns, rows } of batches) {
      const { features, names, width } = chooseColumns(columns, options, path)
      const row = rows.find(({ bad, cells }) => bad === undefined && cells.length === width)
      const bad = rows.find(one => one.bad !== undefined)
      if (bad) problem ??= `${path}, ${word} ${bad.line}: ${bad.bad}`
      if (!row) continue
      const sound = rows.filter(one => one.bad === undefined && one.cells.length === width)
      const texts = names.filter((_, i) => holdsTexts(sound.map(({ cells }) => cells[features[i]])))
      return { columns: names, cells: features.map(place => String(row.cells[place] ?? '')), texts }
    }
  }
  throw new PeerError({
    code: 'TABLE_EMPTY',
    kind: 'input',
    message: problem ?? 'the table holds no row; check the input',
  })
}

/** Texts, and no number among them; one that is missing is neither. */
function holdsTexts(cells: readonly Cell[]): boolean {
  return cells.some(isText) && !cells.some(cell => !isMissing(cell) && !isText(cell))
}

function open(
  file: string,
  path: string,
  options: TableOptions,
): { batches: AsyncIterable<RawBatch>; word: PlaceWord } {
  if (/\.parquet$/i.test(path)) return { batches: readParquet(file, path, options), word: 'row' }
  if (/\.npz$/i.test(path)) return { batches: readNpzTable(file, path), word: 'row' }
  if (/\.npy$/i.test(path)) return { batches: readNpyTable(file, path), word: 'row' }
  return { batches: readCsv(file, path, options), word: 'line' }
}

async function checkFile(file: string, path: string): Promise<void> {
  const kind = await kindAt(file, path).catch(() => undefined)
  if (kind === 'file') return
  const problem = kind ? kindProblem(kind) : 'does not exist or cannot be read; check the path'
  throw new PeerError({ code: 'TABLE_UNREADABLE', kind: 'input', message: `${path} ${problem}` })
}
