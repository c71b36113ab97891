/** Sixteen whole peers, of which three compute: they find each other through one address, and a job's every shard is there once. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { all, type SomePeers, somePeers } from './some-peers.ts'

const count = 16
const shards = 300
let peers: SomePeers
beforeAll(async () => {
  peers = await somePeers(1)
})
afterAll(() => peers.end())

test(`${count} peers know each other and finish a job of ${shards} shards`, { timeout: 180_000 }, async () => {
  const first = await peers.start('peer0')
  const rest = Array.from({ length: count - 1 }, (_, i) => peers.start(`peer${i + 1}`, { compute: i < 2 }))
  const everyone = [first, ...(await Promise.all(rest))]
  for (const peer of everyone) {
    while ((await peer.peers()).filter(({ connected }) => connected).length < count) {
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }
  // From one that computes nothing.
  const submitter = everyone[count - 1]
  const { job } = await submitter.submit({ workload: 'probe', shards, cwd: '/' })
  for await (const state of submitter.watch(job)) if (state.outcome) expect(state.phase).toBe('final')
  const rows = (await all(submitter.results(job))).flatMap(item => (item.type === 'rows' ? [item.rows.rows] : []))
  expect(rows.reduce((sum, more) => sum + more, 0)).toBe(shards)
})
