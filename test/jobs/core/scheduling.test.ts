/** Whose shard computes next on one peer that works for several jobs. */
import { expect, test } from 'vitest'
import type { Effect } from '../../../src/jobs/core/types.ts'
import { corePeer, head, id, only } from './harness.ts'

const ballot = { counter: 1, peer: 'lead' }
const [low, high, equal] = ['low', 'high', 'equal'].map(id)
const all = Array.from({ length: 40 }, (_, shard) => shard)

/** `me` has one lane, room for three shards at the driver, and leases of every job named. */
function busy(jobs: [string, number][]) {
  const peer = corePeer('me', { aheadPerSlot: 3 })
  peer.up('lead')
  const effects: Effect[] = []
  for (const [job, priority] of jobs) effects.push(...lease(peer, job, priority))
  return { peer, effects }
}

function lease(peer: ReturnType<typeof corePeer>, job: string, priority: number): Effect[] {
  const shards = all.map(() => ({ items: 1 }))
  return [
    ...peer.hear('lead', { type: 'grant', job, ballot, shards: all, leaseMs: 1000, manifest: head(1) }),
    ...peer.feed({ type: 'spec', job, owner: 'lead', priority }),
    ...peer.feed({ type: 'manifest', job, index: 0, block: id('manifest 0'), shards }),
  ]
}

const started = (effects: Effect[]) => only(effects, 'run')

/** Computes what was started, oldest first, until `count` shards are done; the jobs in the order of their starts. */
function compute(peer: ReturnType<typeof corePeer>, effects: Effect[], count: number, msOf = (_job: string) => 10) {
  const order = started(effects)
  for (let done = 0; done < count; done++) {
    const { job, shard } = order[done]
    const result = { shard, block: id(`${job} ${shard}`), errors: 0 }
    order.push(...started(peer.feed({ type: 'ran', job, result, items: 1, elapsedMs: msOf(job) })))
  }
  return order.map(one => one.job)
}

test('the driver is given no more than it has room for, in the order of the grant', () => {
  const { peer, effects } = busy([[low, 0]])
  expect(started(effects).map(run => run.shard)).toEqual([0, 1, 2])
  const more = peer.feed({ type: 'ran', job: low, result: { shard: 1, block: low, errors: 0 }, items: 1, elapsedMs: 5 })
  expect(started(more).map(run => run.shard)).toEqual([3])
})

test('a job of higher priority overtakes what was leased before', () => {
  const { peer, effects } = busy([[low, 0]])
  effects.push(...lease(peer, high, 1))
  const order = compute(peer, effects, 40)
  expect(order.slice(0, 3)).toEqual([low, low, low])
  expect(order.slice(3, 43)).toEqual(all.map(() => high))
})

test('jobs of one priority share by time, whoever came first and however long their shards take', () => {
  const { peer, effects } = busy([[low, 0]])
  effects.push(...lease(peer, equal, 0))
  const order = compute(peer, effects, 40, job => (job === low ? 30 : 10))
  const usedMs = (job: string, ms: number) => order.slice(3).filter(one => one === job).length * ms
  expect(usedMs(low, 30) / usedMs(equal, 10)).toBeGreaterThan(0.6)
  expect(usedMs(low, 30) / usedMs(equal, 10)).toBeLessThan(1.6)
})

test('a revoked or failed shard makes room, and the end of a job gives all of it to the others', () => {
  const { peer, effects } = busy([
    [high, 1],
    [low, 0],
  ])
  // The first job had all the room before the second was heard of.
  expect(started(effects).map(run => run.job)).toEqual([high, high, high])
  const revoked = peer.hear('lead', { type: 'revoke', job: high, ballot, shards: [0, ...all.slice(3)] })
  expect(started(revoked).map(run => run.job)).toEqual([low])
  const failed = peer.feed({ type: 'run-failed', job: high, shard: 1, reason: 'no memory', retryable: true })
  expect(started(failed).map(run => run.job)).toEqual([low])
  const outcome = { phase: 'cancelled', ballot } as const
  expect(started(peer.hear('lead', { type: 'outcome', job: high, outcome })).map(run => run.job)).toEqual([low])
})

test('of short shards the driver is given as many as make up the work ahead, and never more than are bounded', () => {
  const room = (elapsedMs: number) => {
    const { peer } = busy([[low, 0]])
    const result = { shard: 0, block: low, errors: 0 }
    peer.feed({ type: 'ran', job: low, result, items: 1, elapsedMs })
    return peer.state.jobs.get(low)?.running
  }
  expect(room(30)).toBe(3)
  expect(room(2)).toBe(5)
  expect(room(1)).toBe(10)
  expect(room(0.01)).toBe(39) // all that are leased
})

test('a short job ahead leaves no room for a long one of lower priority', () => {
  const { peer } = busy([[high, 1]])
  lease(peer, low, 0)
  peer.feed({ type: 'ran', job: high, result: { shard: 0, block: high, errors: 0 }, items: 1, elapsedMs: 1 })
  expect(peer.state.jobs.get(high)?.running).toBe(10)
  expect(peer.state.jobs.get(low)?.running).toBe(0)
})
