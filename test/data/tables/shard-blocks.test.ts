/** Shards of tables as blocks: the same rows come back, and nothing that does not fit does. */
import { decode, encode } from '@ipld/dag-cbor'
import { describe, expect, test } from 'vitest'
import { limits } from '../../../src/base/limits.ts'
import { prng } from '../../../src/base/prng.ts'
import { createMemoryStore } from '../../../src/data/store/memory-store.ts'
import { readTableShard, storeTableShard } from '../../../src/data/tables/shard-blocks.ts'
import type { LabelColumn, TableShard } from '../../../src/data/tables/types.ts'

function shard(rows: number, columns: number, label?: LabelColumn): TableShard {
  const random = prng(rows)
  const x = Float32Array.from({ length: rows * columns }, () => random.normal())
  const names = Array.from({ length: columns }, (_, c) => `c${c}`)
  return { index: 3, firstRow: 1000, rows, columns: names, x, ...(label && { label }) }
}

async function blocksOf(made: TableShard): Promise<Uint8Array[]> {
  const store = createMemoryStore()
  const { items, blocks } = await storeTableShard(made, store)
  expect(items).toBe(made.rows)
  return Promise.all(blocks.map(async id => (await store.get(id)) ?? new Uint8Array()))
}

const classes: LabelColumn = { kind: 'class', names: ['a', 'ü', ''], codes: Uint32Array.of(0, 2, 1, 1, 0) }
const numbers: LabelColumn = { kind: 'number', values: Float64Array.of(1.5, -2, 1e300, 0, 3) }

const texts = [
  { name: 'city', texts: ['Bern', ' Zürich', ''], codes: Uint32Array.of(0, 1, 2, 1, 0) },
  { name: 'kind', texts: ['b'], codes: new Uint32Array(5) },
]

describe('a shard comes back as it was', () => {
  test.each([
    ['without labels', shard(5, 3)],
    ['with classes', shard(5, 3, classes)],
    ['with numbers', shard(5, 7, numbers)],
    ['over several blocks', shard(70_000, 9)],
    ['of one value', shard(1, 1)],
    ['with texts', { ...shard(5, 3), texts }],
    ['with texts and numbers for labels', { ...shard(5, 2, numbers), texts }],
    ['of texts alone', { ...shard(5, 0), texts }],
  ])('%s', async (_, made) => {
    expect(readTableShard(await blocksOf(made))).toEqual(made)
  })

  test('whose features are a view into something larger', async () => {
    const made = shard(5, 3, numbers)
    const larger = new Float32Array(100).fill(9)
    larger.set(made.x, 40)
    expect(readTableShard(await blocksOf({ ...made, x: larger.subarray(40, 55) }))).toEqual(made)
  })
})

test('missing values are kept where they may be', async () => {
  const made = shard(2, 2)
  made.x[1] = Number.NaN
  const blocks = await blocksOf(made)
  expect(readTableShard(blocks, true)).toEqual(made)
  expect(() => readTableShard(blocks)).toThrow(/not a number/)
})

describe('what does not fit is refused', () => {
  const head = { version: 1, kind: 'table', index: 0, firstRow: 0, rows: 2, columns: ['a', 'b'] }
  const data = new Uint8Array(16)
  const codes = (...values: number[]) => new Uint8Array([...data, ...new Uint8Array(Uint32Array.from(values).buffer)])
  test.each<[string, Uint8Array[]]>([
    ['nothing', []],
    ['a head that is no cbor', [new Uint8Array([255, 1]), data]],
    ['a head of another form', [encode({ ...head, extra: 1 }), data]],
    ['no rows', [encode({ ...head, rows: 0 }), new Uint8Array()]],
    ['more rows than a shard has', [encode({ ...head, rows: limits.tableShardRowsMax + 1 }), data]],
    ['data that is too short', [encode(head), data.subarray(4)]],
    ['a block too many', [encode(head), data, data]],
    ['no data', [encode(head)]],
    ['not a number', [encode(head), new Uint8Array(new Float32Array(4).fill(Number.NaN).buffer)]],
    ['a label without a name', [encode({ ...head, label: ['x'] }), codes(0, 1)]],
    ['labels that are missing', [encode({ ...head, label: ['x'] }), data]],
    ['no columns', [encode({ ...head, columns: [] })]],
    ['a text that is not there', [encode({ ...head, texts: [{ name: 't', texts: ['x'] }] }), codes(0, 1)]],
    ['texts that are missing', [encode({ ...head, texts: [{ name: 't', texts: ['x'] }] }), data]],
  ])('%s', (_, blocks) => {
    expect(() => readTableShard(blocks)).toThrow(/a table's shard is not valid/)
  })

  test('damage at any byte gives a shard or a PeerError, never a crash', async () => {
    const blocks = await blocksOf({ ...shard(5, 3, classes), texts })
    expect(decode(blocks[0])).toMatchObject({ kind: 'table' })
    const random = prng(9)
    for (let i = 0; i < 500; i++) {
      const damaged = blocks.map(block => block.slice())
      const block = damaged[random.int(damaged.length)]
      block[random.int(block.length)] = random.int(256)
      try {
        readTableShard(damaged)
      } catch (thrown) {
        expect(thrown).toMatchObject({ code: 'SHARD_INVALID' })
      }
    }
  })
})
