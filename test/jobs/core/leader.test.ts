import { describe, expect, test } from 'vitest'
import { digest, granted, head, job, leading, only, result, results, sent } from './harness.ts'

const ballot = { counter: 1, peer: 'me' }

describe('results', () => {
  test('are merged in shard order whatever order they come in, and end in one outcome for the owner', () => {
    const peer = leading('me', 'own', 5)
    peer.up('a', 4)
    const order = [3, 1, 0, 4, 2].flatMap(shard => peer.hear('a', results(ballot, result(shard))))
    expect(only(order, 'merge-shard').map(one => one.result.shard)).toEqual([0, 1, 2, 3, 4])
    expect(only(order, 'merge-end')).toMatchObject([{ ballot, shards: 5 }])
    const end = peer.feed({ type: 'merged', job, ballot, result: result(0).block })
    expect(sent(end, 'outcome')).toMatchObject([{ to: 'own', message: { outcome: { phase: 'final', ballot } } }])
    expect(only(end, 'gossip')).toMatchObject([{ message: { phase: 'final', itemsDone: 50 } }])
    expect(peer.view()).toMatchObject({ phase: 'final', shardsDone: 5, itemsDone: 50, itemsTotal: 50 })
  })

  test('the first of a shard stands; a second is acknowledged, counted nowhere and merged never', () => {
    const peer = leading('me', 'own', 3)
    peer.up('a')
    peer.up('b')
    peer.hear('a', results(ballot, result(0)))
    const again = peer.hear('b', results(ballot, result(0, 'another')))
    expect(sent(again, 'results-ack')).toMatchObject([{ to: 'b', message: { shards: [0] } }])
    expect(only(again, 'merge-shard')).toEqual([])
    expect(peer.view()).toMatchObject({ shardsDone: 1, itemsDone: 10 })
    expect(peer.view()?.shares.find(share => share.peer === 'b')?.itemsDone ?? 0).toBe(0)
  })

  test('errors are counted once, and never more than the shard has items', () => {
    const peer = leading('me', 'own', 2)
    peer.hear('a', results(ballot, { ...result(0), errors: 99 }))
    peer.hear('a', results(ballot, { ...result(0), errors: 3 }))
    expect(peer.view()?.errors).toBe(10)
  })

  test('a lost result makes its shard pending; the merge waits at it and goes on', () => {
    const peer = leading('me', 'own', 2)
    peer.up('a', 1)
    peer.hear('a', results(ballot, result(0), result(1)))
    peer.wait(3000)
    expect(granted(peer.feed({ type: 'result-lost', job, shard: 0 }))).toEqual({ a: [0] })
    expect(only(peer.feed({ type: 'merged', job, ballot, result: result(0).block }), 'ended')).toEqual([])
    const effects = peer.hear('a', results(ballot, result(0)))
    expect(only(effects, 'merge-shard').map(one => one.result.shard)).toEqual([0])
    expect(only(effects, 'merge-end')).toHaveLength(1)
  })

  test('a result of another shard goes to somebody else, and too many of them end the job', () => {
    const peer = leading('me', 'own', 2)
    peer.up('a', 1)
    peer.up('b', 1)
    peer.hear('a', results(ballot, result(0), result(1)))
    peer.wait(3000)
    const effects = [...peer.feed({ type: 'result-lost', job, shard: 0, wrong: true }), ...peer.wait(200)]
    expect(granted(effects)).toEqual({ b: [0] })
    for (let n = 0; n < 6; n++) {
      peer.hear('b', results(ballot, result(0)))
      peer.feed({ type: 'result-lost', job, shard: 0, wrong: true })
    }
    expect(peer.view()?.outcome).toMatchObject({ phase: 'failed', reason: expect.stringContaining('not its own') })
  })

  test('shards that no manifest names yet are kept until one does', () => {
    const peer = leading('me', 'own', 1)
    peer.hear('a', results(ballot, result(3)))
    expect(peer.view()?.shardsDone).toBe(0)
    const fresh = leading('me', 'own', 0, {}, false)
    fresh.hear('a', results(ballot, result(1)))
    fresh.up('a', 5)
    const effects = fresh.manifest(1, 3)
    expect(granted(effects).a).toEqual([0, 2])
    expect(fresh.view()?.shardsDone).toBe(1)
  })

  test('a job without a single shard ends', () => {
    const peer = leading('me', 'own', 0)
    expect(peer.job().leader?.endSent).toBe(true)
  })

  test('the end waits for the last manifest', () => {
    const peer = leading('me', 'own', 1, {}, false)
    expect(only(peer.hear('a', results(ballot, result(0))), 'merge-end')).toEqual([])
    const told = peer.hear('own', { type: 'manifest', job, manifest: head(1), complete: true })
    expect(only(told, 'merge-end')).toHaveLength(1)
  })
})

describe('the end', () => {
  test('the owner is told until it hears', () => {
    const peer = leading('me', 'own', 0)
    const [told] = sent(peer.feed({ type: 'merged', job, ballot, result: result(0).block }), 'outcome')
    peer.undelivered('own', told.message)
    expect(sent(peer.wait(1000), 'outcome')).toHaveLength(1)
    for (let n = 0; n < 10; n++) {
      peer.undelivered('own', told.message)
      peer.wait(10_000)
    }
    peer.down('own')
    peer.undelivered('own', told.message)
    expect(sent(peer.wait(100_000), 'outcome')).toEqual([])
    peer.up('own')
    expect(sent(peer.wait(100), 'outcome')).toHaveLength(1)
  })

  test('a failed merge fails the job; one of an older ballot does not', () => {
    const peer = leading('me', 'own', 0)
    peer.feed({ type: 'merge-failed', job, ballot: { counter: 0, peer: 'me' }, reason: 'old' })
    expect(peer.view()?.phase).toBe('merging')
    peer.feed({ type: 'merge-failed', job, ballot, reason: 'disk full' })
    expect(peer.view()?.outcome?.reason).toContain('disk full')
  })

  test('a job whose owner left before all was read fails after ownerGraceMs, and not when it comes back', () => {
    for (const back of [false, true]) {
      const peer = leading('me', 'own', 1, { ownerGraceMs: 60_000 }, false)
      peer.down('own')
      peer.wait(50_000)
      if (back) peer.up('own')
      peer.wait(20_000)
      expect(peer.view()?.phase).toBe(back ? 'running' : 'failed')
    }
  })

  test('a job whose manifests nobody has fails after ownerGraceMs, but not while more of them come', () => {
    const peer = leading('me', 'own', 1, { ownerGraceMs: 60_000 }, false)
    peer.hear('own', { type: 'manifest', job, manifest: head(4), complete: true })
    for (let index = 1; index < 3; index++) {
      peer.wait(50_000)
      peer.manifest(index, 1)
    }
    expect(peer.view()?.phase).toBe('running')
    peer.wait(61_000)
    expect(peer.view()?.outcome?.reason).toContain('the list of its inputs is lost')
  })

  test('an ended job answers whoever still acts in it with its end, and is forgotten after rememberMs', () => {
    const peer = leading('me', 'own', 0, { rememberMs: 100_000 })
    peer.feed({ type: 'merged', job, ballot, result: result(0).block })
    const higher = { counter: 9, peer: 'b' }
    const acts = [
      peer.hear('b', { type: 'claim', job, ballot: higher, manifest: head(0), complete: false }),
      peer.hear('b', { type: 'grant', job, ballot: higher, shards: [0], leaseMs: 1, manifest: head(1) }),
      peer.hear('b', digest(higher, 'own')),
      peer.hear('b', { type: 'renew', job, ballot, shards: [0] }),
    ]
    for (const effects of acts) {
      expect(sent(effects, 'superseded')).toMatchObject([{ to: 'b', message: { outcome: { phase: 'final' } } }])
      expect(only(effects, 'run')).toEqual([])
    }
    peer.wait(99_000, 1000)
    expect(peer.view()?.phase).toBe('final')
    peer.wait(3000)
    expect(peer.view()).toBeUndefined()
  })
})

test('digests come every digestMs, and at once but seldom on important changes', () => {
  const peer = leading('me', 'own', 10)
  const digests = only(peer.wait(10_000), 'gossip')
  const usual = 10_000 / peer.config.digestMs
  expect(digests.length).toBeGreaterThanOrEqual(usual - 1)
  expect(digests.length).toBeLessThanOrEqual(usual + 1)
  const versions = digests.map(one => one.message.version)
  expect(versions).toEqual(versions.toSorted((a, b) => a - b))
  expect(new Set(versions).size).toBe(versions.length)
})
