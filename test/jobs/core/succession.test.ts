import { describe, expect, test } from 'vitest'
import { rankPeers } from '../../../src/jobs/core/ranking.ts'
import type { CoreConfig, Message } from '../../../src/jobs/core/types.ts'
import {
  type CorePeer,
  corePeer,
  digest,
  granted,
  head,
  id,
  job,
  leading,
  only,
  result,
  results,
  sent,
} from './harness.ts'

const old = { counter: 1, peer: 'lead' }

/** `me` works on shards 0..2 of a job that `lead` leads, and has the result of shard 0. */
function assignee(others: string[] = [], options: Partial<CoreConfig> = {}) {
  const peer = corePeer('me', options)
  for (const name of ['own', 'lead', ...others]) peer.up(name)
  peer.hear('lead', digest(old, 'own'))
  peer.hear('lead', { type: 'grant', job, ballot: old, shards: [0, 1, 2], leaseMs: 10_000, manifest: head(1) })
  peer.spec('own')
  peer.manifest(0, 6)
  peer.feed({ type: 'ran', job, result: result(0), items: 10, elapsedMs: 5 })
  return peer
}

describe('claiming', () => {
  test('a leader that went down is succeeded at once by the first in rank, later by the others', () => {
    const peer = assignee(['x', 'y'])
    const live = new Map([...peer.state.peers].filter(([name]) => name !== 'lead'))
    const rank = rankPeers(job, live, 'own').indexOf('me')
    const waitMs = rank * peer.config.claimStaggerMs
    const atOnce = peer.down('lead')
    if (rank > 0) expect(sent(atOnce, 'claim')).toEqual([])
    const claims = rank === 0 ? sent(atOnce, 'claim') : sent(peer.wait(waitMs), 'claim')
    expect(claims.map(one => one.to).toSorted()).toEqual(['own', 'x', 'y'])
    expect(claims[0].message.ballot).toEqual({ counter: 2, peer: 'me' })
  })

  test('silence is suspected after leaderSilenceMs; a digest takes the suspicion back', () => {
    const peer = assignee()
    peer.wait(peer.config.leaderSilenceMs - 100)
    peer.hear('lead', digest(old, 'own', { version: 2 }))
    expect(sent(peer.wait(peer.config.leaderSilenceMs - 100), 'claim')).toEqual([])
    expect(sent(peer.wait(100 + 8 * peer.config.claimStaggerMs), 'claim').length).toBeGreaterThan(0)
  })

  test('where one brief leader follows the other, patience doubles; one that lasts ends that', () => {
    const peer = assignee()
    const { leaderSilenceMs, claimStaggerMs } = peer.config
    const all = 17 * claimStaggerMs
    peer.hear('own', digest({ counter: 2, peer: 'own' }, 'own'))
    // Twice the silence after one brief leader, and a moment for one that is called lost.
    expect(sent(peer.wait(1.9 * leaderSilenceMs), 'claim')).toEqual([])
    peer.hear('own', digest({ counter: 2, peer: 'own' }, 'own', { version: 2 }))
    expect(sent(peer.down('own'), 'claim')).toEqual([])
    expect(sent(peer.wait(0.5 * leaderSilenceMs + all), 'claim')).not.toEqual([])

    const calm = assignee()
    for (let version = 2; version < 20; version++) {
      calm.wait(leaderSilenceMs / 2)
      calm.hear('lead', digest(old, 'own', { version }))
    }
    calm.hear('own', digest({ counter: 2, peer: 'own' }, 'own'))
    expect(sent(calm.wait(leaderSilenceMs + all), 'claim')).not.toEqual([])
  })

  test('time in which this peer stood still is not the leader’s silence', () => {
    const peer = assignee()
    peer.sleep(60_000)
    expect(sent(peer.wait(1000), 'claim')).toEqual([])
  })

  test('who does not have the spec fetches it first', () => {
    const peer = corePeer('me')
    peer.up('lead')
    peer.up('own')
    const effects = peer.hear('lead', digest(old, 'own'))
    expect(only(effects, 'fetch-spec')).toMatchObject([{ from: 'lead' }])
    peer.feed({ type: 'fetch-failed', job, what: 'spec' })
    effects.push(...peer.down('lead'), ...peer.wait(1000))
    expect(only(effects, 'fetch-spec').at(-1)).toMatchObject({ from: 'own' })
    expect(sent(effects, 'claim')).toEqual([])
    expect(sent([...peer.spec('own'), ...peer.wait(3000)], 'claim').length).toBeGreaterThan(0)
  })

  test('what could not be fetched is asked for at once when a peer comes', () => {
    const peer = corePeer('me', { leaderSilenceMs: 1e9 })
    peer.up('lead')
    peer.hear('lead', digest(old, 'own'))
    for (let n = 0; n < 5; n++) {
      peer.feed({ type: 'fetch-failed', job, what: 'spec' })
      peer.wait(9000, 1000)
    }
    peer.feed({ type: 'fetch-failed', job, what: 'spec' })
    expect(only(peer.wait(1000), 'fetch-spec')).toEqual([])
    peer.up('own')
    expect(only(peer.wait(100), 'fetch-spec')).toHaveLength(1)
  })

  test('a leader that lost its memory claims anew when it hears of its own ballot', () => {
    const peer = corePeer('me')
    peer.up('a')
    peer.hear('a', { type: 'claim', job, ballot: { counter: 1, peer: 'a' }, manifest: head(0), complete: false })
    peer.hear('a', { type: 'superseded', job, ballot: { counter: 4, peer: 'me' } })
    peer.wait(100)
    const claims = sent(peer.spec('own'), 'claim')
    expect(claims).toMatchObject([{ to: 'a', message: { ballot: { counter: 5, peer: 'me' } } }])
  })
})

describe('a new leader', () => {
  function claimed(others: string[]) {
    const peer = assignee(others, { claimStaggerMs: 1 })
    peer.down('own')
    peer.down('lead')
    const effects = peer.wait(100)
    return { peer, effects, ballot: { counter: 2, peer: 'me' } }
  }
  const inventory = (shards: number[], working: number[]) =>
    ({
      type: 'inventory',
      job,
      ballot: { counter: 2, peer: 'me' },
      results: shards.map(shard => result(shard)),
      working,
      manifest: head(1),
      complete: true,
    }) as const

  test('waits for every inventory, then leases only what nobody has or works on', () => {
    const { peer, effects } = claimed(['x', 'y'])
    expect(granted(effects)).toEqual({})
    expect(granted(peer.hear('x', inventory([3], [4])))).toEqual({})
    const all = granted(peer.hear('y', inventory([], [])))
    expect(Object.values(all).flat()).toEqual([5])
    expect(peer.view()).toMatchObject({ shardsDone: 2, itemsDone: 20 })
  })

  test('does not wait for a peer that goes down, is not reached, or says nothing in inventoryMs', () => {
    const stage = (peer: CorePeer) => peer.job().leader?.stage
    const down = claimed(['x']).peer
    expect(stage(down)).toBe('gathering')
    down.down('x')
    expect(stage(down)).toBe('running')
    const unreached = claimed(['x'])
    unreached.peer.undelivered('x', sent(unreached.effects, 'claim')[0].message)
    expect(stage(unreached.peer)).toBe('running')
    const silent = claimed(['x']).peer
    expect(granted(silent.wait(silent.config.inventoryMs)).x).toEqual([3, 4, 5])
  })

  test('unites two results of one shard the same way, whoever answers first', () => {
    const [one, other] = [result(3, 'one'), result(3, 'other')]
    const merged = [
      [one, other],
      [other, one],
    ].map(([first, second]) => {
      const { peer } = claimed(['x', 'y'])
      peer.hear('x', { ...inventory([], []), results: [first] })
      peer.hear('y', { ...inventory([], []), results: [second] })
      return peer.job().leader?.results.get(3)?.result.block
    })
    expect(merged[0]).toBe(merged[1])
  })

  test('merges from shard 0 again', () => {
    const { peer, ballot } = claimed([])
    const effects = peer.hear('me', results(ballot, result(1)))
    expect(only(effects, 'merge-shard').map(one => one.result.shard)).toEqual([1])
    expect(peer.job().leader?.mergeNext).toBe(2)
  })
})

describe('a higher ballot', () => {
  const higher = { counter: 2, peer: 'new' }

  const ways: [string, Message][] = [
    ['a claim', { type: 'claim', job, ballot: higher, manifest: head(1), complete: true }],
    ['a digest', digest(higher, 'own')],
    ['a grant', { type: 'grant', job, ballot: higher, shards: [5], leaseMs: 1000, manifest: head(1) }],
    ['superseded', { type: 'superseded', job, ballot: higher }],
  ]
  test.each(ways)(
    'learnt from %s is obeyed: one inventory, results to the new leader, nothing for the old one',
    (_name, message) => {
      const peer = assignee(['new'])
      const effects = peer.hear('new', message)
      expect(sent(effects, 'inventory')).toMatchObject([
        { to: 'new', message: { ballot: higher, results: [{ shard: 0 }], working: [1, 2] } },
      ])
      const ran = peer.feed({ type: 'ran', job, result: result(1), items: 10, elapsedMs: 5 })
      expect(sent(ran, 'results').map(one => one.to)).toEqual(['new'])
      const stale = peer.hear('lead', {
        type: 'grant',
        job,
        ballot: old,
        shards: [4],
        leaseMs: 1000,
        manifest: head(1),
      })
      expect(sent(stale, 'superseded')).toMatchObject([{ to: 'lead', message: { ballot: higher } }])
      expect(only(stale, 'run')).toEqual([])
    },
  )

  test('makes a leader step down and hand on its results; ties of counters go to the higher peer', () => {
    const tie = { counter: 1, peer: 'zebra' }
    const peer = leading('me', 'own', 3)
    peer.up('a')
    peer.hear('a', results({ counter: 1, peer: 'me' }, result(0)))
    const effects = peer.hear('zebra', digest(tie, 'own'))
    expect(only(effects, 'merge-drop')).toMatchObject([{ ballot: { counter: 1, peer: 'me' } }])
    expect(sent(effects, 'inventory')).toMatchObject([{ to: 'zebra', message: { results: [{ shard: 0 }] } }])
    expect(only(peer.wait(peer.config.leaderSilenceMs - 100), 'gossip')).toEqual([])
  })

  test('a lower one is refused, once in digestMs for gossip', () => {
    const peer = leading('me', 'own', 3)
    const low = digest({ counter: 1, peer: 'aaa' }, 'own')
    expect(sent(peer.hear('aaa', low), 'superseded')).toHaveLength(1)
    expect(sent(peer.hear('aaa', low), 'superseded')).toHaveLength(0)
  })

  test('a claim or grant in another peer’s name is ignored', () => {
    const peer = assignee()
    peer.hear('thief', { type: 'claim', job, ballot: higher, manifest: head(1), complete: true })
    peer.hear('thief', digest(higher, 'own'))
    expect(peer.job().ballot).toEqual(old)
  })
})

test('a long inventory travels in several messages', () => {
  const peer = assignee(['new'])
  for (let shard = 0; shard < 40_000; shard++) peer.job().results.set(shard, { shard, block: id('x'), errors: 0 })
  const parts = sent(peer.hear('new', digest({ counter: 2, peer: 'new' }, 'own')), 'inventory')
  expect(parts.length).toBe(3)
  expect(parts.reduce((sum, part) => sum + part.message.results.length, 0)).toBe(40_000)
})
