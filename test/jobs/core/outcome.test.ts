import { expect, test } from 'vitest'
import { betterOutcome } from '../../../src/jobs/core/outcome.ts'
import type { JobOutcome } from '../../../src/jobs/core/types.ts'
import { digest, id, job, leading, only, sent } from './harness.ts'

const ballot = (counter: number, peer = 'a') => ({ counter, peer })
const all: JobOutcome[] = [
  { phase: 'failed', ballot: ballot(1), reason: 'x' },
  { phase: 'failed', ballot: ballot(3), reason: 'x' },
  { phase: 'cancelled', ballot: ballot(1) },
  { phase: 'cancelled', ballot: ballot(2) },
  { phase: 'final', ballot: ballot(1), result: id('b') },
  { phase: 'final', ballot: ballot(2, 'a'), result: id('b') },
  { phase: 'final', ballot: ballot(2, 'b'), result: id('b') },
]

test('of any two outcomes exactly one stands, whoever hears them in which order', () => {
  for (const a of all) for (const b of all) expect(betterOutcome(a, b)).toBe(all.indexOf(a) > all.indexOf(b))
  const twins: JobOutcome[] = ['p', 'q'].map(text => ({ phase: 'final', ballot: ballot(2), result: id(text) }))
  expect(betterOutcome(twins[0], twins[1])).not.toBe(betterOutcome(twins[1], twins[0]))
})

test('of two finals the higher ballot’s stands', () => {
  const peer = leading('me', 'own', 0)
  peer.feed({ type: 'merged', job, ballot: { counter: 1, peer: 'me' }, result: id('mine') })
  const theirs = { phase: 'final', ballot: ballot(3, 'b'), result: id('theirs') } as const
  peer.hear('b', digest(ballot(3, 'b'), 'own', { phase: 'final', outcome: theirs }))
  expect(peer.view()?.outcome?.result).toBe(id('theirs'))
  peer.hear('c', digest(ballot(2, 'c'), 'own', { phase: 'final', outcome: { ...theirs, ballot: ballot(2, 'c') } }))
  expect(peer.view()?.outcome?.ballot).toEqual(ballot(3, 'b'))
})

test('a final or cancelled outcome absorbs a running job under whatever ballot', () => {
  for (const outcome of [all[2], all[4]]) {
    const peer = leading('me', 'own', 5)
    peer.up('a')
    peer.hear('z', { type: 'superseded', job, ballot: ballot(9, 'me') })
    const effects = peer.hear('b', { type: 'superseded', job, ballot: ballot(1), outcome })
    expect(only(effects, 'ended')).toMatchObject([{ outcome: { phase: outcome.phase } }])
  }
})

test('another half’s failure under an older ballot does not end a running job, the owner’s does', () => {
  const peer = leading('me', 'own', 5)
  const failed = { phase: 'failed', ballot: ballot(1), reason: 'gone' } as const
  peer.hear('b', { type: 'superseded', job, ballot: ballot(1), outcome: failed })
  expect(peer.view()?.phase).toBe('running')
  peer.hear('own', { type: 'outcome', job, outcome: failed })
  expect(peer.view()?.phase).toBe('failed')
})

test('an outcome message counts from the owner and from the leader it names only', () => {
  const outcome = { phase: 'final', ballot: ballot(4, 'b'), result: id('x') } as const
  const peer = leading('me', 'own', 5)
  peer.hear('thief', { type: 'outcome', job, outcome })
  expect(peer.view()?.phase).toBe('running')
  const effects = peer.hear('b', { type: 'outcome', job, outcome })
  expect(only(effects, 'merge-drop')).toHaveLength(1)
  expect(only(effects, 'ended')).toHaveLength(1)
  expect(sent(effects, 'superseded')).toEqual([])
})

test('the end brings who did what to a peer that heard less, in whatever order the words come', () => {
  const outcome = { phase: 'final', ballot: ballot(1), result: id('x') } as const
  const share = (peer: string, itemsDone: number) => ({ peer, leased: 0, itemsDone, itemsPerSecond: 1 })
  const whole = { shards: 3, shardsDone: 3, itemsDone: 30, itemsTotal: 30 }
  const end = digest(ballot(1), 'own', {
    ...{ phase: 'final', outcome, ...whole, version: 1 },
    shares: [share('a', 20), share('b', 10)],
  })
  const early = digest(ballot(1), 'own', { ...whole, shardsDone: 1, version: 9, shares: [share('a', 10)] })
  const orders = [
    [early, { type: 'outcome', job, outcome, end }],
    [early, { type: 'superseded', job, ballot: ballot(1), outcome, end }],
    [early, { type: 'outcome', job, outcome }, end],
    [{ type: 'superseded', job, ballot: ballot(1), outcome, end }, early],
    [end, early],
  ] as const
  for (const order of orders) {
    const peer = leading('me', 'own', 0)
    peer.up('a')
    peer.hear('a', { type: 'superseded', job, ballot: ballot(1) })
    for (const message of order) peer.hear('a', message)
    expect(peer.view()?.shares.map(({ peer: name, itemsDone }) => [name, itemsDone])).toEqual([
      ['a', 20],
      ['b', 10],
    ])
  }
})
