/** Rows of columns as files: what a second reader of each format finds in them. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { parse } from 'csv-parse/sync'
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readNpy } from '../../../src/data/readers/npy.ts'
import {
  openRowsWriter,
  type RowsColumn,
  type RowsPart,
  rowsFormat,
  shortestFloat,
} from '../../../src/data/writers/rows.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shardmesh-rows-'))
})
afterEach(() => rm(folder, { recursive: true }))

const columns: RowsColumn[] = [
  { name: 'label', kind: 'text' },
  { name: 'a "b"', kind: 'number' },
  { name: 'c', kind: 'number' },
]
const part = (firstRow: number, rows: number, keys: string[] = []): RowsPart => ({
  keys,
  firstRow,
  rows,
  numbers: Float32Array.from({ length: 2 * rows }, (_, i) => (firstRow + i) / 3),
  texts: [{ names: ['x,y', 'ž'], places: Uint32Array.from({ length: rows }, (_, i) => i % 2) }],
})

async function written(name: string, parts: RowsPart[], key: 'path' | 'row' = 'row', only = columns): Promise<string> {
  const out = join(folder, name)
  const rows = parts.reduce((sum, one) => sum + one.rows, 0)
  const writer = await openRowsWriter({ out, columns: only, key, rows })
  for (const one of parts) await writer.write(one)
  expect(await writer.close()).toEqual({ rows, errors: 0 })
  return out
}

test('CSV has a header, quotes what needs it, and numbers that read back the same', async () => {
  const text = await readFile(await written('o.csv', [part(0, 3), part(3, 2)]), 'utf8')
  const rows: string[][] = parse(text)
  expect(rows[0]).toEqual(['row', 'label', 'a "b"', 'c'])
  expect(rows.slice(1).map(([row, label]) => [row, label])).toEqual([
    ['0', 'x,y'],
    ['1', 'ž'],
    ['2', 'x,y'],
    ['3', 'x,y'],
    ['4', 'ž'],
  ])
  expect(rows.slice(1, 4).map(row => Math.fround(Number(row[2])))).toEqual([0, 2, 4].map(i => Math.fround(i / 3)))
})

test('Parquet of many parts is read by another reader, keys and all', async () => {
  const parts = Array.from({ length: 40 }, (_, p) => part(p * 5000, 5000))
  const rows = await parquetReadObjects({ file: await asyncBufferFromFile(await written('o.parquet', parts)) })
  expect(rows.length).toBe(200_000)
  expect(rows[70_001]).toEqual({
    row: 70_001n,
    label: 'ž',
    'a "b"': Math.fround(70_002 / 3),
    c: Math.fround(70_003 / 3),
  })
  const keyed = await written('k.parquet', [part(0, 2, ['a.png', 'b ü.png'])], 'path')
  expect((await parquetReadObjects({ file: await asyncBufferFromFile(keyed) })).map(row => row.path)).toEqual([
    'a.png',
    'b ü.png',
  ])
})

test('NPY holds the numbers and the paths lie beside it', async () => {
  const numbers = columns.slice(1)
  const parts = [part(0, 2, ['a', 'b']), part(2, 1, ['c'])].map(one => ({ ...one, texts: [] }))
  const out = await written('o.npy', parts, 'path', numbers)
  const array = readNpy(await readFile(out), out)
  expect(array.dims).toEqual([3, 2])
  expect(array.data).toEqual(Float32Array.of(...parts.flatMap(one => [...one.numbers])))
  expect(await readFile(join(folder, 'o.paths.txt'), 'utf8')).toBe('a\nb\nc\n')
  const text = openRowsWriter({ out: join(folder, 't.npy'), columns, key: 'row', rows: 1 })
  await expect(text).rejects.toThrow(/"label" is text: write \.csv or \.parquet/)
})

test('JSON lines have no NaN, and a stream is left open', async () => {
  let text = ''
  const stream = new Writable({
    write(chunk, _, done) {
      text += chunk
      done()
    },
  })
  const writer = await openRowsWriter({ out: stream, format: 'jsonl', columns: columns.slice(1), key: 'row', rows: 1 })
  await writer.write({ keys: [], firstRow: 7, rows: 1, numbers: Float32Array.of(Number.NaN, 0.1), texts: [] })
  await writer.close()
  expect(JSON.parse(text)).toEqual({ row: 7, 'a "b"': null, c: 0.1 })
  expect(stream.writableEnded).toBe(false)
})

test("errors go beside the file, an older run's go away, and an abort leaves nothing", async () => {
  const out = join(folder, 'o.csv')
  const open = () => openRowsWriter({ out, columns, key: 'path', rows: 1 })
  const first = await open()
  await first.writeError('bad.png', 'not an image')
  expect(await first.close()).toMatchObject({ errors: 1, errorsFile: join(folder, 'o.errors.csv') })
  await (await open()).close()
  expect((await readdir(folder)).sort()).toEqual(['o.csv'])
  await writeFile(out, 'old')
  const third = await open()
  await third.write(part(0, 1, ['a']))
  await third.abort()
  expect(await readFile(out, 'utf8')).toBe('old')
  expect(await readdir(folder)).toEqual(['o.csv'])
})

test('formats go by the extension', () => {
  expect(['a.CSV', 'b.ndjson', 'c.parquet', 'd.npy'].map(rowsFormat)).toEqual(['csv', 'jsonl', 'parquet', 'npy'])
  expect(() => rowsFormat('a.xlsx')).toThrow(/end it in \.csv/)
})

test('numbers have the fewest digits that tell them apart', () => {
  expect([0.1, 1 / 3, 16_777_216, 1e-9, Number.NaN].map(value => shortestFloat(Math.fround(value)))).toEqual([
    '0.1',
    '0.33333334',
    '16777216',
    '1e-9',
    'NaN',
  ])
})
