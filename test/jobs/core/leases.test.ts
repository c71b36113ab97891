import { describe, expect, test } from 'vitest'
import { granted, id, job, leading, only, result, results, sent } from './harness.ts'

const ballot = { counter: 1, peer: 'me' }
const failed = (shard: number, retryable = true) =>
  ({ type: 'shard-failed', job, ballot, shard, reason: 'no memory', retryable }) as const

describe('credit', () => {
  test('a peer of unknown speed gets what its driver takes at once', () => {
    const peer = leading('me', 'own', 100, { aheadPerSlot: 2 })
    expect(granted(peer.up('a', 3))).toEqual({ a: [0, 1, 2, 3, 4, 5] })
    expect(granted(peer.up('idle', 0))).toEqual({})
  })

  test('a peer of known speed gets creditMs of work', () => {
    const peer = leading('me', 'own', 1000, { creditMs: 2000 })
    // 10 items a shard: 100 items a second are 10 shards a second.
    expect(granted(peer.up('a', 2, 100)).a).toHaveLength(20)
  })

  test('near the end nobody gets more than a fair share by speed', () => {
    const peer = leading('me', 'own', 0, {}, false)
    peer.up('slow', 1, 100)
    peer.up('fast', 1, 300)
    const effects = peer.feed({
      type: 'manifest',
      job,
      index: 1,
      block: id('more'),
      shards: Array(8).fill({ items: 10 }),
    })
    expect(granted(effects)).toEqual({ slow: [0, 1], fast: [2, 3, 4, 5, 6, 7] })
  })

  test('measured speed replaces the guess', () => {
    const peer = leading('me', 'own', 1000)
    peer.up('a', 1, 1)
    peer.sleep(1000)
    // 20 items in a second, where 1 was promised: 40 items of credit are 4 shards.
    peer.hear('a', results(ballot, result(0), result(1)))
    expect(peer.job().leader?.assignees.get('a')?.leased.size).toBe(4)
  })
})

test('a speed is measured over short bursts of work too, without the time between them', () => {
  const peer = leading('me', 'own', 0, {}, false)
  peer.up('a', 1)
  for (let burst = 0; burst < 6; burst++) {
    peer.manifest(burst + 1, 1)
    peer.sleep(100)
    peer.hear('a', results(ballot, result(burst)))
    peer.sleep(1000)
  }
  // 10 items in each tenth of a second.
  expect(peer.job().leader?.assignees.get('a')?.itemsPerSecond).toBeCloseTo(100)
})

describe('what comes back', () => {
  test('a lease that is not renewed goes to another; late results still count', () => {
    const peer = leading('me', 'own', 2, { speculateMs: 1e9 })
    peer.up('a', 1)
    expect(granted(peer.up('b', 1))).toEqual({})
    expect(granted(peer.wait(peer.config.leaseMs + 100)).b?.length).toBeGreaterThan(0)
    const late = peer.hear('a', results(ballot, result(0), result(1)))
    expect(sent(late, 'results-ack')).toMatchObject([{ to: 'a', message: { shards: [0, 1] } }])
    expect(only(late, 'merge-shard').map(one => one.result.shard)).toEqual([0, 1])
    expect(sent(late, 'revoke').every(one => one.to === 'b')).toBe(true)
  })

  test('an assignee whose lease expired gets no new lease until heard from, or one lease term later', () => {
    const silent = () => {
      const peer = leading('me', 'own', 2, { speculateMs: 1e9 })
      peer.up('a', 1)
      const effects = peer.wait(peer.config.leaseMs + 200)
      expect(granted(effects)).toEqual({})
      return peer
    }
    expect(granted(silent().hear('a', results(ballot, result(0))))).toEqual({ a: [1] })
    const late = silent()
    expect(granted(late.wait(late.config.leaseMs + 200)).a).toEqual([0, 1])
  })

  test('a renewed lease stays, what the renewal does not list is given back', () => {
    const peer = leading('me', 'own', 2, { speculateMs: 1e9 })
    peer.up('a', 1)
    for (let n = 0; n < 10; n++) {
      peer.wait(peer.config.renewMs)
      peer.hear('a', { type: 'renew', job, ballot, shards: [0, 1] })
    }
    peer.up('b', 2)
    peer.wait(peer.config.renewMs + 100)
    peer.hear('a', { type: 'renew', job, ballot, shards: [1] })
    expect(granted(peer.wait(200))).toEqual({ b: [0] })
  })

  test('a renewal that crossed with its grant takes nothing back', () => {
    const peer = leading('me', 'own', 4)
    peer.up('a', 1)
    peer.hear('a', { type: 'renew', job, ballot, shards: [] })
    expect(peer.job().leader?.leases.size).toBe(peer.config.aheadPerSlot)
  })

  test('a peer that went down, or was not reached, loses its leases at once', () => {
    const peer = leading('me', 'own', 2, { speculateMs: 1e9 })
    const [grant] = sent(peer.up('a', 1), 'grant')
    peer.up('b', 1)
    expect(granted(peer.undelivered('a', grant.message)).b).toEqual([0, 1])
    expect(granted(peer.wait(1000)).a).toBeUndefined()
    expect(granted(peer.down('b')).a).toEqual([0, 1])
  })
})

describe('failures', () => {
  test('a shard that failed prefers another peer', () => {
    const peer = leading('me', 'own', 1, { speculateMs: 1e9 })
    peer.up('a', 1)
    peer.up('b', 1)
    expect(granted(peer.hear('a', failed(0)))).toEqual({ b: [0] })
  })

  test('on attemptsMax attempts it fails the job; a repeated report counts once', () => {
    const peer = leading('me', 'own', 1, { attemptsMax: 2 })
    peer.up('a', 1)
    peer.hear('a', failed(0))
    peer.hear('a', failed(0))
    expect(peer.view()?.phase).toBe('running')
    expect(granted(peer.wait(2000))).toEqual({ a: [0] })
    const effects = peer.hear('a', failed(0))
    expect(only(effects, 'ended')[0].outcome).toMatchObject({
      phase: 'failed',
      reason: expect.stringContaining('no memory'),
    })
    expect(sent(effects, 'outcome')).toMatchObject([{ to: 'own' }])
  })

  test('what could not be fetched is no attempt: it is tried again, and fails the job only after ownerGraceMs', () => {
    const peer = leading('me', 'own', 1, { attemptsMax: 2, ownerGraceMs: 60_000 })
    peer.up('a', 1)
    const missing = () => peer.hear('a', { ...failed(0), missing: true })
    const until = (ms: number) => {
      const effects = missing()
      for (let waited = 0; waited < ms && peer.view()?.phase === 'running'; waited += 500) {
        peer.wait(500)
        effects.push(...missing())
      }
      return effects
    }
    until(50_000)
    expect(peer.view()?.phase).toBe('running')
    const effects = until(100_000)
    expect(only(effects, 'ended')[0].outcome.reason).toContain('not to be had')
  })

  test('what cannot be retried fails the job at once', () => {
    const peer = leading('me', 'own', 5)
    peer.up('a', 1)
    expect(only(peer.hear('a', failed(0, false)), 'ended')).toHaveLength(1)
  })
})

describe('stragglers', () => {
  test('an idle peer gets a second lease on the oldest shard; the loser is told to stop', () => {
    const peer = leading('me', 'own', 2)
    peer.up('a', 1)
    peer.up('b', 1)
    expect(granted(peer.wait(peer.config.speculateMs - 100))).toEqual({})
    expect(granted(peer.wait(200))).toEqual({ b: [1] })
    expect(granted(peer.wait(1000))).toEqual({})
    const effects = peer.hear('b', results(ballot, result(1)))
    expect(sent(effects, 'revoke')).toMatchObject([{ to: 'a', message: { shards: [1] } }])
  })

  test('no shard is leased further than lookaheadShards beyond the merge', () => {
    const peer = leading('me', 'own', 100, { lookaheadShards: 10 })
    expect(granted(peer.up('a', 1, 100_000)).a).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(
      granted(peer.hear('a', results(ballot, ...[1, 2, 3, 4, 5, 6, 7, 8, 9].map(shard => result(shard))))),
    ).toEqual({})
    expect(granted(peer.hear('a', results(ballot, result(0)))).a).toHaveLength(10)
  })
})
