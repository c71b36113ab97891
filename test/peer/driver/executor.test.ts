/** The executor, with an exchange and lanes of the test's own: what is given up must not stand in the way. */
import { expect, test } from 'vitest'
import type { RoundHead } from '../../../src/jobs/core/types.ts'
import { createExecutor, type ExecutorDeps } from '../../../src/peer/driver/executor.ts'

const job = 'j'.repeat(64)
const spec = { workload: 'train', body: { options: { method: 'kmeans', k: 1 }, columns: ['a'] } }
const shards = Array.from({ length: 80 }, (_, i) => ({ items: 1, blocks: [`shard ${i}`] }))

/** Blocks whose name begins with `gone` never come. */
function executor(ran: ExecutorDeps['ran']) {
  const get = (id: string) =>
    id.startsWith('gone') ? new Promise<Uint8Array>(() => {}) : Promise.resolve(new Uint8Array([1]))
  const deps = {
    book: { get: () => ({ spec, shards }) },
    exchange: { get },
    pool: {
      lanes: () => [{}],
      keeps: () => false,
      run: async () => ({ bytes: new Uint8Array([2]), items: 1, errors: 0, elapsedMs: 1 }),
      close() {},
    },
    holds: { use: async () => {}, storeFor: () => ({ put: async () => 'result' }) },
    ran,
    failed: () => {},
    holders: () => [],
    patiently: <T>(work: () => Promise<T>) => work(),
    knownRate: 0,
  }
  return createExecutor(deps as unknown as ExecutorDeps) // what it does not use is left out
}

test('a shard of another round is computed though the one before waits for parameters that are gone', async () => {
  const done: (RoundHead | undefined)[] = []
  const one = executor((_, { result, round }) => {
    done[result.shard] = round
  })
  // As many as there is room for, under parameters that died with their leader; then the new leader goes back a round.
  for (let shard = 0; shard < shards.length; shard++) one.run(job, shard, { round: 4, params: 'gone with the leader' })
  const back = { round: 3, params: 'here' }
  for (let shard = 0; shard < shards.length; shard++) one.run(job, shard, back)
  await expect.poll(() => done.filter(Boolean)).toEqual(shards.map(() => back))
})

test('what is given up while it waits makes room for others', async () => {
  const done: number[] = []
  const one = executor((_, { result }) => void done.push(result.shard))
  for (let shard = 0; shard < 4; shard++) one.run(job, shard, { round: 1, params: 'gone' })
  for (let shard = 0; shard < 4; shard++) one.abandon(job, shard)
  one.run(job, 5)
  one.run(job, 5)
  await expect.poll(() => done).toEqual([5])
})
