/** The text layer of CSV as people's files have it: encodings, line ends, headers, separators, quotes. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, test } from 'vitest'
import { newReport, type TableInit } from '../../../src/data/tables/options.ts'
import { readTable } from '../../../src/data/tables/read.ts'
import type { TableShard } from '../../../src/data/tables/types.ts'

const folder = mkdtempSync(join(tmpdir(), 'shardmesh-text-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let made = 0
/** The only shard of a file of these bytes. */
async function read(bytes: Uint8Array | string, init: TableInit = {}, name = 'table.csv'): Promise<TableShard> {
  const file = join(folder, `${made++}-${name}`)
  writeFileSync(file, bytes)
  const shards: TableShard[] = []
  for await (const shard of readTable([{ path: name, file }], init, newReport())) shards.push(shard)
  expect(shards).toHaveLength(1)
  return shards[0]
}
const classes = ({ label }: TableShard) => (label?.kind === 'class' ? label.names : undefined)

const words = 'x,word\n1,é\n2,è\n3,oui\n'
const swapped = (bytes: Buffer) => Buffer.from(bytes).swap16()
const utf16 = Buffer.from(`\ufeff${words}`, 'utf16le')

describe('encodings', () => {
  test.each<[string, Uint8Array, TableInit]>([
    ['UTF-8', Buffer.from(words), {}],
    ['UTF-8 with its mark', Buffer.from(`\ufeff${words}`), {}],
    ['UTF-8 in gzip', gzipSync(words), {}],
    ['UTF-16, little end first, with its mark', utf16, {}],
    ['UTF-16, big end first, with its mark', swapped(utf16), {}],
    ['UTF-16 without its mark', Buffer.from(words, 'utf16le'), { encoding: 'utf-16le' }],
    ['Latin-1', Buffer.from(words, 'latin1'), { encoding: 'latin1' }],
  ])('%s', async (_, bytes, init) => {
    const shard = await read(bytes, { ...init, label: 'word' })
    expect([classes(shard), [...shard.x]]).toEqual([
      ['é', 'è', 'oui'],
      [1, 2, 3],
    ])
  })

  test('Latin-1 without a word of it is refused with its place', async () => {
    await expect(read(Buffer.from(words, 'latin1'), { label: 'word' })).rejects.toThrow(
      'table.csv, line 2: byte 10 of the file is no UTF-8; name its encoding, such as --encoding latin1',
    )
  })

  test('the place is right far into a file, and across pieces of it', async () => {
    const rows = `x,word\n${'1,ü\n'.repeat(50_000)}`
    const bytes = Buffer.concat([Buffer.from(rows), Buffer.from('2,\xe9\n', 'latin1')])
    const at = Buffer.byteLength(rows) + 3
    await expect(read(bytes, { label: 'word' })).rejects.toThrow(`line 50002: byte ${at} of the file`)
    const good = await read(rows, { label: 'word' })
    expect([good.rows, classes(good)]).toEqual([50_000, ['ü']])
  })

  test('what is cut off in a character, UTF-16 without its mark, UTF-32 and unknown names are told', async () => {
    await expect(read(Buffer.from(words).subarray(0, 10))).rejects.toThrow('line 2: byte 10 of the file is no UTF-8')
    await expect(read(Buffer.from(words, 'utf16le'))).rejects.toThrow('--encoding utf-16le')
    await expect(read(swapped(Buffer.from(words, 'utf16le')))).rejects.toThrow('--encoding utf-16be')
    await expect(read(Buffer.from([0xff, 0xfe, 0, 0, 65, 0, 0, 0]))).rejects.toThrow('UTF-32LE')
    await expect(read(words, { encoding: 'klingon' })).rejects.toThrow('no encoding of this name is known')
    await expect(read(Buffer.from([0x78, 0x0a, 0x81, 0x0a]), { encoding: 'shift_jis' })).rejects.toThrow(
      'is not shift_jis',
    )
  })
})

describe('lines', () => {
  const plain = 'a,b\n1,2\n3,4\n'
  test.each([
    ['LF', plain],
    ['CRLF', plain.replaceAll('\n', '\r\n')],
    ['CR alone', plain.replaceAll('\n', '\r')],
    ['the header LF, the rows CRLF', 'a,b\n1,2\r\n3,4\r\n'],
    ['the header CRLF, the rows LF', 'a,b\r\n1,2\n3,4\n'],
    ['each its own', 'a,b\r1,2\r\n3,4\n'],
    ['no end behind the last', plain.trimEnd()],
    ['blank ones between', 'a,b\n\n1,2\n\n\n3,4\n'],
  ])('%s', async (_, text) => {
    const { columns, x } = await read(text)
    expect([columns, [...x]]).toEqual([
      ['a', 'b'],
      [1, 2, 3, 4],
    ])
  })

  test('a quoted cell with a line break, a mark for inches, doubled marks', async () => {
    const shard = await read('size,kind\n1,"two\nlines"\n2,5" disk\n3,"say ""so"""\n', { label: 'kind' })
    expect(classes(shard)).toEqual(['two\nlines', '5" disk', 'say "so"'])
  })

  test('lines before the table', async () => {
    expect((await read('made by hand\n# 2026\na,b\n1,2\n', { skipLines: 2 })).columns).toEqual(['a', 'b'])
  })
})

describe('headers and separators', () => {
  test('numbers for names may be either: said, not guessed', async () => {
    const text = '0,1,label\n0.5,0.25,yes\n'
    await expect(read(text, { label: '-1' })).rejects.toThrow(
      'may be names or values: say which with --header yes or --header no',
    )
    expect((await read(text, { label: '-1', header: 'yes' })).rows).toBe(1)
    expect((await read(text, { label: '-1', header: 'no' })).rows).toBe(2)
    expect((await read('5.1,3.5,setosa\n4.9,3.0,setosa\n', { label: '-1' })).rows).toBe(2)
  })

  test("a first column without a name is pandas' index, and no feature by accident", async () => {
    const text = ',a,b\n0,1,2\n1,3,4\n'
    await expect(read(text)).rejects.toThrow('has no name, as pandas writes its index')
    expect([...(await read(text, { features: ['a', 'b'] })).x]).toEqual([1, 2, 3, 4])
  })

  test.each([
    [';', "--delimiter ';'"],
    ['\t', "--delimiter $'\\t'"],
    ['|', "--delimiter '|'"],
  ])('separated by %j', async (separator, advice) => {
    const text = ['a,b', '1,2'].join('\n').replaceAll(',', separator)
    await expect(read(text)).rejects.toThrow(advice)
    expect([...(await read(text, { delimiter: separator })).x]).toEqual([1, 2])
  })
})

describe('cells', () => {
  test('a class may be called NA; a feature of that is missing', async () => {
    const shard = await read('x,land\n1,NA\n2,FR\n', { label: 'land' })
    expect(classes(shard)).toEqual(['NA', 'FR'])
    await expect(read('x,land\nNA,FR\n', { label: 'land' })).rejects.toThrow('column "x" is empty')
    await expect(read('x,land\n1,\n', { label: 'land' })).rejects.toThrow('its label "land" is empty')
  })

  test('whole numbers that float32 does not hold are refused by their column', async () => {
    expect([...(await read('id\n16777216\n16777218\n')).x]).toEqual([16_777_216, 16_777_218])
    await expect(read('id\n16777217\n')).rejects.toThrow('column "id" holds 16777217, a whole number beyond 16777216')
    await expect(read('time,y\n1700000010,5\n', { label: 'y', labelKind: 'number' })).rejects.toThrow(
      'column "time" holds 1700000010',
    )
  })
})
