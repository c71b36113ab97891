/** Tables from files: what is read, what is refused and why, and where shards are cut. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { zipSync } from 'fflate'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { afterAll, describe, expect, test } from 'vitest'
import { newReport, type TableInit } from '../../../src/data/tables/options.ts'
import { firstRow, readTable } from '../../../src/data/tables/read.ts'
import type { TableShard } from '../../../src/data/tables/types.ts'
import { writeNpy } from '../../../src/data/writers/npy.ts'

const folder = mkdtempSync(join(tmpdir(), 'tables-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let made = 0

async function read(content: string | Uint8Array, init: TableInit = {}, name = 'table.csv', report = newReport()) {
  const file = join(folder, `${made++}-${name}`)
  writeFileSync(file, content)
  return shardsOf([{ path: name, file }], init, report)
}

async function shardsOf(files: { path: string; file: string }[], init: TableInit, report = newReport()) {
  const shards: TableShard[] = []
  for await (const shard of readTable(files, init, report)) shards.push(shard)
  return shards
}

function labels({ label }: TableShard): (string | number)[] {
  if (label?.kind === 'class') return [...label.codes].map(code => label.names[code])
  return label ? [...label.values] : []
}

describe('CSV', () => {
  test('with a header, quotes, empty lines, a byte order mark and Windows line ends', async () => {
    const text = '\ufeffwidth,"a, b",kind\r\n1,2.5,"red ""one"""\r\n\r\n-3e2, 4 ,blue\r\n'
    const [shard, ...rest] = await read(text, { label: 'kind' })
    expect(rest).toEqual([])
    expect(shard).toMatchObject({ index: 0, firstRow: 0, rows: 2, columns: ['width', 'a, b'] })
    expect([...shard.x]).toEqual([1, 2.5, -300, 4])
    expect(labels(shard)).toEqual(['red "one"', 'blue'])
  })

  test('without a header, the label last, as gzip', async () => {
    const [shard] = await read(gzipSync('1,2,0\n3,4,1\n'), { label: '-1' }, 'digits.csv.gz')
    expect(shard.columns).toEqual(['column0', 'column1'])
    expect([...shard.x]).toEqual([1, 2, 3, 4])
    expect(labels(shard)).toEqual(['0', '1'])
  })

  test('tabs, chosen features in the order asked for, a label that is a number', async () => {
    const init: TableInit = { features: ['c', 'a'], label: 'b', labelKind: 'number' }
    const [shard] = await read('a\tb\tc\n1\t2.25\t3\n4\t5\t6\n', init, 'table.tsv')
    expect(shard.columns).toEqual(['c', 'a'])
    expect([...shard.x]).toEqual([3, 1, 6, 4])
    expect(labels(shard)).toEqual([2.25, 5])
  })

  test('lines before the table are left out', async () => {
    const [shard] = await read('150,4,setosa\n5.1,3.5,0\n', { skipLines: 1, label: '2' })
    expect([...shard.x]).toEqual([Math.fround(5.1), 3.5])
  })

  test('shards are cut by rows alone, whatever the files', async () => {
    const lines = Array.from({ length: 25 }, (_, i) => `${i},${i % 3}`)
    const init: TableInit = { rowsPerShard: 7, label: '1' }
    const whole = await read(lines.join('\n'), init)
    expect(whole.map(shard => [shard.index, shard.firstRow, shard.rows])).toEqual([
      [0, 0, 7],
      [1, 7, 7],
      [2, 14, 7],
      [3, 21, 4],
    ])
    const parts = [lines.slice(0, 2), lines.slice(2, 16), lines.slice(16)].map((part, i) => {
      const file = join(folder, `part${i}.csv`)
      writeFileSync(file, part.join('\n'))
      return { path: `part${i}.csv`, file }
    })
    expect(await shardsOf(parts, init)).toEqual(whole)
  })

  test.each<[string, string, TableInit, RegExp]>([
    ['text among numbers', 'a,b\n1,2\n3,x\n', {}, /table\.csv, line 3: column "b" holds "x", which is no number/],
    ['a line break inside quotes counts', 'a,b\n1,"2\n3"\n4,x\n', {}, /line 3: column "b" holds "2\n3"/],
    ['a short row', '1,2\n3\n', {}, /line 2: has 1 cells where the table has 2 columns/],
    ['an empty cell', 'a,b\n1,\n', {}, /line 2: column "b" is empty; fill it in/],
    ['a missing word', 'a,b\n1,NA\n', {}, /column "b" is empty/],
    ['a number beyond float32', 'a\n1e39\n', {}, /beyond float32/],
    ['infinity', 'a\nInfinity\n', {}, /beyond float32/],
    ['a hexadecimal', 'a,b\n1,0x10\n', {}, /no number/],
    ['no such label', 'a,b\n1,2\n', { label: 'c' }, /no column "c"; its 2 columns are a, b/],
    ['no such place', '1,2\n', { label: '5' }, /no column "5"/],
    ['an empty label', 'a,b\n1,\n', { label: 'b' }, /its label "b" is empty/],
    [
      'the label among the features',
      'a,b\n1,2\n',
      { label: 'b', features: ['a', 'b'] },
      /both a feature and the label/,
    ],
    ['a feature twice', 'a,b\n1,2\n', { features: ['a', '0'] }, /named twice/],
    ['a name twice', 'a,a\n1,2\n', {}, /two columns "a"/],
    ['nothing but a label', 'a\n1\n', { label: 'a' }, /nothing to learn from/],
    ['nothing at all', '', {}, /holds no row/],
    ['a header alone', 'a,b\n', {}, /holds no row/],
    ['a quote that never ends', 'a,b\n1,"2\n', {}, /quotes do not match/],
    ['a header that was not asked for', 'a,b\n1,2\n', { header: 'no' }, /line 1: column "column0" holds "a"/],
  ])('refuses %s', async (_, text, init, message) => {
    await expect(read(text, init)).rejects.toThrow(message)
  })

  test('bad rows are left out and counted where that was asked for', async () => {
    const report = newReport()
    const shards = await read('a,b\n1,2\nx,3\n4\n5,6\n,7\n', { badRows: 'skip', rowsPerShard: 1 }, 'table.csv', report)
    expect(shards.map(shard => [...shard.x])).toEqual([
      [1, 2],
      [5, 6],
    ])
    expect(report).toMatchObject({ rows: 2, skipped: 3 })
    expect(report.reasons[0]).toMatch(/line 3: column "a" holds "x"/)
    await expect(read('a\nx\ny\n', { badRows: 'skip' })).rejects.toThrow(
      /all 2 rows were left out; the first: .* line 2/,
    )
  })

  test('missing values stay as NaN where the mean is to fill them', async () => {
    const [shard] = await read('a,b\n1,\nnan,4\n', { missing: 'mean' })
    expect([...shard.x]).toEqual([1, Number.NaN, Number.NaN, 4])
  })

  test('a damaged gzip file and a missing one', async () => {
    const whole = gzipSync('1,2\n'.repeat(100_000))
    await expect(read(whole.subarray(0, whole.length / 2), {}, 'cut.csv.gz')).rejects.toMatchObject({
      code: 'TABLE_UNREADABLE',
    })
    await expect(shardsOf([{ path: 'none.csv', file: join(folder, 'none.csv') }], {})).rejects.toThrow(
      /none\.csv does not exist/,
    )
  })
})

describe('columns of texts', () => {
  const textsOf = ({ texts = [] }: TableShard) =>
    texts.map(({ name, texts: distinct, codes }) => [name, ...[...codes].map(code => distinct[code])])

  test('stand beside the features, as the file has them', async () => {
    const csv = 'city,age,id\nBern,30,007\n" Zug",40,8\nBern,50,NA\n'
    const shards = await read(csv, { texts: ['id', 'city'], rowsPerShard: 2 })
    expect(shards.map(shard => [shard.columns, [...shard.x], textsOf(shard)])).toEqual([
      [
        ['age'],
        [30, 40],
        [
          ['id', '007', '8'],
          ['city', 'Bern', ' Zug'],
        ],
      ],
      [
        ['age'],
        [50],
        [
          ['id', 'NA'],
          ['city', 'Bern'],
        ],
      ],
    ])
    const [both] = await read(csv, { features: ['age'], texts: ['age'] })
    expect([[...both.x], textsOf(both)]).toEqual([[30, 40, 50], [['age', '30', '40', '50']]])
    const [alone] = await read(csv, { features: [], texts: ['city'] })
    expect([alone.rows, alone.columns, alone.x.length, textsOf(alone)]).toEqual([
      3,
      [],
      0,
      [['city', 'Bern', ' Zug', 'Bern']],
    ])
  })

  test('are missing where they are empty, by the stated policy', async () => {
    const csv = 'city,age\nBern,30\n,40\n'
    await expect(read(csv, { texts: ['city'] })).rejects.toThrow(/table\.csv, line 3: column "city" is empty/)
    const [kept] = await read(csv, { texts: ['city'], missing: 'mean' })
    expect(textsOf(kept)).toEqual([['city', 'Bern', '']])
    const report = newReport()
    const [skipped] = await read(csv, { texts: ['city'], badRows: 'skip' }, 'table.csv', report)
    expect([skipped.rows, report.skipped, textsOf(skipped)]).toEqual([1, 1, [['city', 'Bern']]])
  })

  test('of Parquet, whatever their type', async () => {
    const columnData = [
      { name: 'whole', data: [10n, 20n] },
      { name: 'city', data: ['x', 'y'] },
      { name: 'a', data: [1, 2] },
    ]
    const [shard] = await read(
      new Uint8Array(parquetWriteBuffer({ columnData })),
      { texts: ['city', 'whole'] },
      'table.parquet',
    )
    expect([shard.columns, [...shard.x], textsOf(shard)]).toEqual([
      ['a'],
      [1, 2],
      [
        ['city', 'x', 'y'],
        ['whole', '10', '20'],
      ],
    ])
  })

  test('the first row is told before anything else is known', async () => {
    const file = join(folder, 'first.csv')
    writeFileSync(file, 'city,age,kind\nBern\nGenf,,a\n')
    expect(await firstRow([{ path: 'first.csv', file }], { label: 'kind' })).toEqual({
      columns: ['city', 'age'],
      cells: ['Genf', ''],
      texts: ['city'],
    })
    writeFileSync(file, 'city,age\n')
    await expect(firstRow([{ path: 'first.csv', file }])).rejects.toMatchObject({ code: 'TABLE_EMPTY' })
  })
})

describe('Parquet', () => {
  const columns = [
    { name: 'a', data: [1, 2, 3, 4, 5] },
    { name: 'whole', data: [10n, 20n, 30n, 40n, 50n] },
    { name: 'kind', data: ['x', 'y', 'x', 'z', 'y'] },
  ]
  const file = () => new Uint8Array(parquetWriteBuffer({ columnData: columns, rowGroupSize: 2 }))

  test('in groups of rows, the columns that are wanted', async () => {
    const shards = await read(file(), { label: 'kind', rowsPerShard: 3 }, 'table.parquet')
    expect(shards.map(shard => [shard.firstRow, [...shard.x], labels(shard)])).toEqual([
      [0, [1, 10, 2, 20, 3, 30], ['x', 'y', 'x']],
      [3, [4, 40, 5, 50], ['z', 'y']],
    ])
  })

  test('says which row is wrong, and what is not Parquet', async () => {
    await expect(read(file(), {}, 'table.parquet')).rejects.toThrow(/table\.parquet, row 1: column "kind" holds "x"/)
    await expect(read('a,b\n', {}, 'table.parquet')).rejects.toMatchObject({ code: 'TABLE_UNREADABLE' })
    const whole = file()
    await expect(read(whole.subarray(0, whole.length - 20), {}, 'table.parquet')).rejects.toMatchObject({
      code: 'TABLE_UNREADABLE',
    })
  })
})

test('NPY matrices, and what is none', async () => {
  const matrix = writeNpy({ type: 'float64', dims: [3, 2], data: Float64Array.of(1, 2, 3, 4, 5, 6) })
  const shards = await read(matrix, { label: '-1', rowsPerShard: 2 }, 'table.npy')
  expect(shards.map(shard => [[...shard.x], labels(shard)])).toEqual([
    [
      [1, 3],
      ['2', '4'],
    ],
    [[5], ['6']],
  ])
  // In Fortran order, column by column.
  const turned = writeNpy({ type: 'float64', dims: [3, 2], data: Float64Array.of(1, 3, 5, 2, 4, 6) })
  turned.set(new TextEncoder().encode("'fortran_order': True , "), Buffer.from(turned).indexOf("'fortran_order'"))
  const [whole] = await read(turned, { label: '-1' }, 'turned.npy')
  expect([[...whole.x], labels(whole)]).toEqual([
    [1, 3, 5],
    ['2', '4', '6'],
  ])
  const cube = writeNpy({ type: 'float32', dims: [1, 1, 1], data: new Float32Array(1) })
  await expect(read(cube, {}, 'cube.npy')).rejects.toMatchObject({ code: 'TABLE_COLUMNS' })
  await expect(read(matrix.subarray(0, -1), {}, 'cut.npy')).rejects.toMatchObject({ code: 'INPUT_NPY' })
  await expect(read(new Uint8Array(3), {}, 'short.npy')).rejects.toMatchObject({ code: 'INPUT_NPY' })
})

test('an NPY matrix of several pieces is read as it is, and a bad row is named by its place in the file', async () => {
  const [rows, width] = [300_000, 5]
  const data = Float32Array.from({ length: rows * width }, (_, i) => (i * 7919) % 1000)
  const shards = await read(writeNpy({ type: 'float32', dims: [rows, width], data }), {}, 'long.npy')
  expect(Buffer.concat(shards.map(({ x }) => Buffer.from(x.buffer))).equals(Buffer.from(data.buffer))).toBe(true)
  data[250_000 * width + 3] = Number.POSITIVE_INFINITY
  const bad = writeNpy({ type: 'float32', dims: [rows, width], data })
  await expect(read(bad, {}, 'long.npy')).rejects.toThrow(/^long\.npy, row 250001: column "column3" holds Infinity/)
})

describe('NPZ', () => {
  const x = writeNpy({ type: 'float32', dims: [3, 2], data: Float32Array.of(1, 2, 3, 4, 5, 6) })
  const y = writeNpy({ type: 'int64', dims: [3], data: BigInt64Array.of(7n, 8n, 7n) })

  test.each([0, 6] as const)('matrices and vectors side by side, packed at level %i', async level => {
    const archive = zipSync({ 'x.npy': x, 'y.npy': y, 'readme.txt': new Uint8Array(3) }, { level })
    const [shard] = await read(archive, { label: 'y' }, 'table.npz')
    expect(shard.columns).toEqual(['x0', 'x1'])
    expect([...shard.x]).toEqual([1, 2, 3, 4, 5, 6])
    expect(labels(shard)).toEqual(['7', '8', '7'])
  })

  test('refuses arrays of other lengths, damage, and an archive that would unpack to too much', async () => {
    const short = writeNpy({ type: 'float32', dims: [2], data: new Float32Array(2) })
    await expect(read(zipSync({ 'x.npy': x, 'z.npy': short }), {}, 'table.npz')).rejects.toThrow(/"z" is float32 \[2\]/)
    const archive = zipSync({ 'x.npy': x })
    await expect(read(archive.subarray(0, archive.length - 30), {}, 'table.npz')).rejects.toMatchObject({
      code: 'TABLE_UNREADABLE',
    })
    const many = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`a${i}.npy`, y]))
    await expect(read(zipSync(many), {}, 'table.npz')).rejects.toMatchObject({ code: 'TABLE_TOO_LARGE' })
  })
})
