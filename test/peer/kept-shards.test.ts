/** Shards that lanes keep between the rounds of a training: no blocks are asked for, and a lane that gave one up asks again. */
import { afterAll, describe, expect, test } from 'vitest'
import { createMemoryStore } from '../../src/data/store/memory-store.ts'
import { storeTableShard } from '../../src/data/tables/shard-blocks.ts'
import { startLane } from '../../src/peer/lanes/lane-host.ts'
import { startPool } from '../../src/peer/lanes/pool.ts'
import type { OpenJob } from '../../src/peer/lanes/types.ts'

const job = 'a'.repeat(64)
const rows = 256
const shardBytes = 4 * rows

const open = (): OpenJob => ({
  workload: 'train',
  body: { options: { method: 'kmeans', k: 2, init: [[0], [1]] }, columns: ['x'] },
  files: [],
})

async function blocksOf(index: number): Promise<Uint8Array[]> {
  const store = createMemoryStore()
  const x = Float32Array.from({ length: rows }, (_, i) => 1000 * index + i)
  const { blocks } = await storeTableShard({ index, firstRow: rows * index, rows, columns: ['x'], x }, store)
  return Promise.all(blocks.map(async id => (await store.get(id)) ?? new Uint8Array()))
}

/** Blocks that count how often they are asked for. */
async function counted(index: number) {
  const all = await blocksOf(index)
  const shard = { asked: 0, key: `shard ${index}`, blocks: async () => all }
  shard.blocks = async () => {
    shard.asked++
    return all
  }
  return shard
}

describe('shards that are kept', { timeout: 60_000 }, () => {
  const ends: (() => Promise<void>)[] = []
  afterAll(() => Promise.all(ends.map(end => end())))

  test('a shard goes back to the lane that keeps it, without its blocks', async () => {
    const pool = await startPool({ workers: 2, webgpu: false, onWarning: () => {}, onChange: () => {} })
    ends.push(pool.stop)
    const shards = await Promise.all([0, 1, 2, 3, 4].map(counted))
    const round = () => Promise.all(shards.map(shard => pool.run(job, open, shard, { round: 0 })))
    const first = await round()
    expect(shards.map(({ asked, key }) => [asked, pool.keeps(job, key)])).toEqual(shards.map(() => [1, true]))
    // A leader that went back may want the first round again, hashes of the blocks and all.
    const again = await round()
    expect(again.map(ran => ran.bytes)).toEqual(first.map(ran => ran.bytes))
    // A lane with nothing to do may have taken one that the other keeps.
    expect(shards.filter(({ asked }) => asked === 1).length).toBeGreaterThan(2)
    pool.close(job)
    expect(pool.keeps(job, 'shard 0')).toBe(false)
    await pool.run(job, open, shards[0], { round: 0 })
    expect(shards[0].asked).toBeGreaterThan(1)
  })

  test('a lane that gave a shard up asks for its blocks once more', async () => {
    const lane = await startLane('wasm', () => {}, undefined, shardBytes)
    ends.push(lane.stop)
    const [one, other] = [await counted(1), await counted(2)]
    const want = await lane.run(job, open, { blocks: await blocksOf(1) }, { round: 6 })
    await lane.run(job, open, one, { round: 0 })
    // There is room for one, and nobody has asked for the first in a while.
    await lane.run(job, open, other, { round: 5 })
    expect([lane.keeps(job, one.key), lane.keeps(job, other.key)]).toEqual([true, true])
    expect((await lane.run(job, open, one, { round: 6 })).bytes).toEqual(want.bytes)
    expect([one.asked, lane.keeps(job, one.key)]).toEqual([2, false])
  })

  test('blocks that cannot be had fail their shard alone', async () => {
    const lane = await startLane('wasm', () => {})
    ends.push(lane.stop)
    const lost = { key: 'lost', blocks: () => Promise.reject(new Error('the disk is gone')) }
    const good = await counted(1)
    const [bad, fine] = await Promise.allSettled([lane.run(job, open, lost), lane.run(job, open, good)])
    expect([bad.status, fine.status, lane.running]).toEqual(['rejected', 'fulfilled', 0])
  })
})
