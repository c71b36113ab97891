/** Rows of shards joined into parts: every row once and in order, and nothing damaged taken. */
import { decode, encode } from '@ipld/dag-cbor'
import { expect, test } from 'vitest'
import { blockId } from '../../../../src/base/ids.ts'
import { limits } from '../../../../src/base/limits.ts'
import { prng } from '../../../../src/base/prng.ts'
import { rowsMerger } from '../../../../src/jobs/workloads/rows/merge.ts'
import {
  type Column,
  decodeRows,
  decodeRowsRoot,
  encodeRows,
  type Rows,
  TextColumn,
} from '../../../../src/jobs/workloads/rows/result.ts'

const columns: Column[] = [
  { name: 'label', kind: 'text' },
  { name: 'a', kind: 'number' },
  { name: 'b', kind: 'number' },
]

function rowsOf(firstRow: number, count: number, keyed = false): Rows {
  const random = prng(firstRow + 1)
  const label = new TextColumn()
  for (let row = 0; row < count; row++) label.push(random.pick(['x', 'y', 'ž']))
  return {
    keys: keyed ? Array.from({ length: count }, (_, row) => `folder/${firstRow + row}.png`) : [],
    firstRow,
    rows: count,
    numbers: Float32Array.from({ length: 2 * count }, () => random.normal()),
    texts: [label.done()],
    errors: [],
    numericClasses: ['test'],
  }
}

async function merge(shards: Rows[], key: 'path' | 'row' = 'row') {
  const blocks = new Map<string, Uint8Array>()
  const put = async (bytes: Uint8Array) => {
    const id = blockId(bytes)
    blocks.set(id, bytes)
    return id
  }
  const merger = rowsMerger('score', columns, key, { put })
  for (const shard of shards) await merger.add(encodeRows(shard))
  const root = decodeRowsRoot(blocks.get(await merger.end()) ?? new Uint8Array())
  const parts = root.parts.map(id => decodeRows(blocks.get(id) ?? new Uint8Array(), columns))
  return { root, parts, sizes: root.parts.map(id => blocks.get(id)?.length ?? 0) }
}

const plain = (all: readonly Rows[]) =>
  all.flatMap(({ keys, firstRow, rows, numbers, texts }) =>
    Array.from({ length: rows }, (_, row) => ({
      key: keys[row] ?? firstRow + row,
      numbers: [...numbers.subarray(2 * row, 2 * row + 2)],
      text: texts[0].names[texts[0].places[row]],
    })),
  )

test.each([
  ['by place', false],
  ['by key', true],
])('all rows come out once and in order, %s', async (_, keyed) => {
  const shards = [rowsOf(0, 50_000, keyed), rowsOf(50_000, 1, keyed), rowsOf(50_001, 30_000, keyed)]
  const { root, parts, sizes } = await merge(shards, keyed ? 'path' : 'row')
  expect(root).toMatchObject({
    columns,
    key: keyed ? 'path' : 'row',
    rows: 80_001,
    errors: 0,
    numericClasses: ['test'],
  })
  expect(plain(parts)).toEqual(plain(shards))
  expect(parts.length).toBeGreaterThan(1)
  expect(Math.max(...sizes)).toBeLessThan(limits.blockBytesMax)
})

test('what could not be read is kept with its reason, and classes of arithmetic are told', async () => {
  const first = { ...rowsOf(0, 2, true), errors: [{ path: 'bad.png', reason: 'not an image' }] }
  const none = { ...rowsOf(0, 0, true), errors: [{ path: 'worse.png', reason: 'empty' }], numericClasses: ['other'] }
  const { root, parts } = await merge([first, none], 'path')
  expect(root).toMatchObject({ rows: 2, errors: 2, numericClasses: ['other', 'test'] })
  expect(parts.flatMap(part => part.errors.map(error => error.path))).toEqual(['bad.png', 'worse.png'])
})

test('no rows at all are a result too', async () => {
  expect((await merge([])).root).toMatchObject({ rows: 0, parts: [] })
})

test('a result of another shape is refused', () => {
  const good = rowsOf(0, 3)
  const other = (change: Record<string, unknown>) =>
    encode({ ...(decode(encodeRows(good)) as Record<string, unknown>), ...change })
  expect(() => decodeRows(encodeRows(good), columns.slice(0, 2))).toThrow(/6 numbers, not 3/)
  expect(() => decodeRows(encodeRows(good), columns.slice(1))).toThrow(/1 columns of texts/)
  expect(() => decodeRows(other({ rows: 2 }), columns)).toThrow(/damaged/)
  expect(() => decodeRows(other({ numbers: new Uint8Array(23) }), columns)).toThrow(/not whole/)
  expect(() =>
    decodeRows(
      other({ texts: [{ names: ['a'], places: new Uint8Array([0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]) }] }),
      columns,
    ),
  ).toThrow(/text is missing/)
  expect(() => decodeRows(other({ keys: ['only one'] }), columns)).toThrow(/1 keys for 3 rows/)
  expect(() => decodeRows(new Uint8Array([1, 2, 3]), columns)).toThrow(/not dag-cbor/)
})
