/** The leader's merging against blocks that come late, are lost and come again. */
import { expect, test } from 'vitest'
import { blockId } from '../../../src/base/ids.ts'
import { sealResult } from '../../../src/jobs/wire/sealed-result.ts'
import type { JobSpec } from '../../../src/jobs/wire/spec.ts'
import { encodeShardScores } from '../../../src/jobs/workloads/classify/result.ts'
import type { BlockExchange } from '../../../src/peer/blocks/block-exchange.ts'
import type { JobBook } from '../../../src/peer/driver/job-book.ts'
import { createMergeRunner } from '../../../src/peer/driver/merge-runner.ts'

const job = 'a'.repeat(64)
const ballot = { counter: 1, peer: 'p' }
const model = {
  name: 'm',
  file: { bytes: 1, blocks: ['0'.repeat(64)] },
  input: { name: 'x', height: 1, width: 1, layout: 'nchw' },
  output: 'y',
  preprocess: { rescaleFactor: 1, channels: 3 },
  score: 'none',
  weight: 1,
  classes: [0, 1],
}
const spec = { workload: 'classify', body: { models: [model], labels: ['a', 'b'], merge: 'mean', top: 1 } }

function shard(path: string): Uint8Array {
  const scores = [Float32Array.of(0.25, 0.75)]
  return sealResult({ blocks: [] }, encodeShardScores({ paths: [path], errors: [], scores, numericClass: 'x' }))
}

function setUp() {
  const blocks = new Map<string, Uint8Array>()
  const told: string[] = []
  const exchange = {
    async get(id: string) {
      const bytes = blocks.get(id)
      if (!bytes) throw new Error('nowhere')
      return bytes
    },
    async put(bytes: Uint8Array) {
      blocks.set(blockId(bytes), bytes)
      return blockId(bytes)
    },
    local: async (id: string) => blocks.get(id),
  } satisfies BlockExchange
  const record = { spec: spec as unknown as JobSpec, manifests: [], counts: [], shards: [] }
  const book = { get: () => record } as unknown as JobBook
  const runner = createMergeRunner({
    book,
    holders: () => [],
    use: async () => {},
    exchange,
    sink: () => exchange,
    patiently: work => work(),
    merged: (_job, _ballot, result) => told.push(`merged ${result}`),
    roundMerged: (_job, _ballot, round, params) => told.push(`round ${round?.round ?? 0} gives ${params}`),
    failed: (_job, _ballot, reason) => told.push(`failed ${reason}`),
    lost: (_job, lost, _round, wrong) => told.push(`${wrong ? 'wrong' : 'lost'} ${lost}`),
  })
  const hand = (place: number, bytes: Uint8Array) =>
    runner.shard(job, ballot, { shard: place, block: blockId(bytes), errors: 0 }, [])
  return { blocks, told, exchange, runner, hand }
}

/** Until as much was told as is expected; what is too much shows in the comparison that follows. */
const heard = (told: string[], count: number) => expect.poll(() => told.length).toBe(count)

async function mergedInOrder(paths: string[]): Promise<string> {
  const { told, exchange, runner, hand } = setUp()
  for (const [place, path] of paths.entries()) {
    await exchange.put(shard(path))
    hand(place, shard(path))
  }
  runner.end(job, ballot, paths.length)
  await heard(told, 1)
  return told[0]
}

test('a lost result is asked for again, and the end waits for it', async () => {
  const { told, exchange, runner, hand } = setUp()
  const [a, b, c] = ['a', 'b', 'c'].map(shard)
  await exchange.put(a)
  await exchange.put(c)
  hand(0, a)
  hand(1, b) // nobody has it
  hand(2, c)
  runner.end(job, ballot, 3)
  await heard(told, 1)
  expect(told).toEqual(['lost 1'])
  await exchange.put(b)
  hand(1, b)
  runner.end(job, ballot, 3)
  await heard(told, 2)
  expect(told).toEqual(['lost 1', await mergedInOrder(['a', 'b', 'c'])])
})

test('a newer ballot begins again, and the older one says nothing more', async () => {
  const { told, exchange, runner, hand } = setUp()
  const a = shard('a')
  await exchange.put(a)
  hand(0, a)
  const newer = { counter: 2, peer: 'q' }
  runner.shard(job, newer, { shard: 0, block: blockId(a), errors: 0 }, [])
  runner.end(job, newer, 1)
  await heard(told, 1)
  expect(told).toEqual([await mergedInOrder(['a'])])
})

test('a result that is no result fails the merge with a reason', async () => {
  const { told, exchange, hand } = setUp()
  const bytes = sealResult({ blocks: [] }, new Uint8Array([1, 2, 3]))
  await exchange.put(bytes)
  hand(0, bytes)
  await heard(told, 1)
  expect(told[0]).toMatch(/^failed a shard result is damaged/)
})

test('a result of another shard, or of nothing at all, is not merged, and the right one is waited for', async () => {
  const { told, exchange, runner, hand } = setUp()
  const wrong = sealResult({ blocks: ['another'] }, new Uint8Array([1]))
  for (const bytes of [wrong, shard('right'), new Uint8Array([1, 2])]) await exchange.put(bytes)
  hand(0, wrong)
  await heard(told, 1)
  hand(0, new Uint8Array([1, 2]))
  await heard(told, 2)
  hand(0, shard('right'))
  runner.end(job, ballot, 1)
  await heard(told, 3)
  expect(told).toEqual(['wrong 0', 'wrong 0', await mergedInOrder(['right'])])
})
