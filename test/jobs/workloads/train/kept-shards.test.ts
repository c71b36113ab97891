/** Shards that stay on a lane from round to round: within their room, and only while somebody asks for them. */
import { afterAll, expect, test } from 'vitest'
import { createWasmBackend } from '../../../../src/compute/backends/wasm/backend.ts'
import { createMemoryStore } from '../../../../src/data/store/memory-store.ts'
import { storeTableShard } from '../../../../src/data/tables/shard-blocks.ts'
import { createKeepRoom } from '../../../../src/jobs/workloads/keep-room.ts'
import { createKeptShards } from '../../../../src/jobs/workloads/train/kept-shards.ts'
import { openEngine } from '../../../../src/learn/device/engine.ts'

const opened = createWasmBackend()
afterAll(async () => (await opened).dispose())

const rows = 10
const bytes = 4 * rows

async function blocksOf(index: number, missing = false): Promise<Uint8Array[]> {
  const store = createMemoryStore()
  const x = Float32Array.from({ length: rows }, (_, i) => 100 * index + i)
  if (missing) x[3] = Number.NaN
  const { blocks } = await storeTableShard({ index, firstRow: rows * index, rows, columns: ['a'], x }, store)
  return Promise.all(blocks.map(async id => (await store.get(id)) ?? new Uint8Array()))
}

async function keeping(roomBytes: number) {
  const room = createKeepRoom(roomBytes)
  return { kept: createKeptShards(openEngine(await opened), ['a'], room), left: room.left }
}

test('what is kept is there without its blocks, hash and all', async () => {
  const { kept, left } = await keeping(2 * bytes)
  const blocks = await blocksOf(1)
  const fresh = kept.get(blocks, 0)
  expect(fresh.shard).toEqual(kept.get(blocks, 0).shard)
  const first = kept.get(blocks, 0, 'one')
  const again = kept.get([], 1, 'one')
  expect([kept.has('one'), again.shard, again.hash()]).toEqual([true, first.shard, fresh.hash()])
  expect(left()).toBe(bytes)
  kept.close()
  expect([left(), kept.has('one')]).toEqual([2 * bytes, false])
})

test('the first ones stay where there is no room for all, until nobody asks for them', async () => {
  const { kept, left } = await keeping(2 * bytes)
  for (let round = 0; round < 2; round++) {
    for (let shard = 0; shard < 3; shard++) kept.get(await blocksOf(shard), round, `${shard}`)
    expect(['0', '1', '2'].map(kept.has)).toEqual([true, true, false])
  }
  // Another peer has the first one now.
  for (const round of [2, 3, 4]) for (const shard of [1, 2]) kept.get(await blocksOf(shard), round, `${shard}`)
  expect(['0', '1', '2'].map(kept.has)).toEqual([false, true, true])
  expect(left()).toBe(0)
})

test('a shard with gaps, and one without a key, is not kept', async () => {
  const { kept, left } = await keeping(10 * bytes)
  kept.get(await blocksOf(1, true), 0, 'gaps')
  kept.get(await blocksOf(2), 0)
  expect([kept.has('gaps'), left()]).toEqual([false, 10 * bytes])
  expect(() => kept.get([], 0, 'unknown')).toThrow(expect.objectContaining({ code: 'SHARD_INVALID' }))
})
